// How deep the C stack may become where Lua code drives a recursion. Owns one prebuilt error object
// per state. Lua counts C calls along a chain of threads (200); what begins a new count, what takes
// much of the stack in one call, and recursions of our own ask here.
#pragma once

#include "lua/hooks.h"
#include "lua/lua_api.h"

namespace pllua_bg::lua {

// The test without a server: 1 MB from where the process made its first state. Errors: none.
bool is_beyond_own_limit();

// Pushes the prebuilt error (54001). Needs one free stack slot, allocates nothing. Errors: none.
void push_stack_too_deep(lua_State *L);

[[noreturn]] void raise_stack_too_deep(lua_State *L);
// Errors: lua (54001).
inline void check_stack(lua_State *L) {
    if (hooks.stack_is_too_deep()) [[unlikely]]
        raise_stack_too_deep(L);
}

// Makes the prebuilt error. Called once by create_interp, after initialize_errors. Errors: lua
// (memory).
void initialize_stack_error(lua_State *L);

} // namespace pllua_bg::lua
