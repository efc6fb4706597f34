// Room on both stacks, that of Lua and that of C, and the two errors that are raised where there
// may be none to make one. Lua counts C calls along a chain of threads (200); what begins a new
// count, what takes much of the C stack in one call, and recursions of our own ask here. Owns
// nothing: the errors are made by initialize_errors (error.h).
#pragma once

#include "lua/hooks.h"
#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Registry keys of the prebuilt errors: their addresses.
inline constexpr char kOutOfMemory = 0;
inline constexpr char kStackTooDeep = 0;

// Push a prebuilt error (53200, 54001). Need one free stack slot, allocate nothing. Errors: none.
inline void push_out_of_memory(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &kOutOfMemory); }
inline void push_stack_too_deep(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &kStackTooDeep); }

// Makes room for so many more values on the stack. Where memory is full of garbage it is collected
// first: newer Lua does not collect for a stack by itself, and luaL_checkstack then speaks of a
// stack overflow. May run finalizers. Errors: lua.
void need_stack(lua_State *L, int slots);

[[noreturn]] void raise_stack_too_deep(lua_State *L);
// Errors: lua (54001).
inline void check_stack(lua_State *L) {
    if (hooks.stack_is_too_deep()) [[unlikely]]
        raise_stack_too_deep(L);
}

} // namespace pllua_bg::lua
