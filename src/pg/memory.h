// Memory of Lua interpreters in the server's memory contexts, so that it shows in
// pg_backend_memory_contexts. Owns nothing; a context belongs to its interpreter.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// What lua_allocate() works with.
struct LuaMemory;

// Makes one in the context, and lives and dies with it. Errors: pg (memory).
LuaMemory *make_lua_memory(MemoryContext context);

// The allocation function of a Lua state (type lua_Alloc); `memory` is a LuaMemory. Small blocks
// are cut from larger pieces, each for one size, and kept, when Lua gives them back, for others of
// their size. Never raises: nullptr when there is no memory. Shrinking never fails.
void *lua_allocate(void *memory, void *block, size_t old_size, size_t new_size);

// Gives the server what small blocks were cut from, where all of it has been given back, and free
// memory of the process to the system. Takes some ms for each 100,000 free blocks. Never raises.
void trim_lua_memory(void *memory);

// How much memory may be taken; 0: without limit. Small blocks of a size that is not wanted just
// now count, of which there may be an eighth more. Never raises.
void limit_lua_memory(void *memory, size_t limit);

// Bytes that lua_allocate() takes for a block of this size:
// the server rounds chunks up to powers of two.
size_t lua_memory_cost(size_t size);

} // namespace pllua_bg::pg
