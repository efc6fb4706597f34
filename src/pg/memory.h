// Memory of Lua interpreters in the server's memory contexts, so that it shows in
// pg_backend_memory_contexts. Owns nothing; a context belongs to its interpreter.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// The allocation function of a Lua state (type lua_Alloc); `context` is the MemoryContext. Never
// raises: nullptr when there is no memory. Shrinking never fails.
void *lua_allocate(void *context, void *block, size_t old_size, size_t new_size);

} // namespace pllua_bg::pg
