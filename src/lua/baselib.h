// Our own functions of the base and utf8 libraries, over Lua's. Owns nothing.
#pragma once

#include <cstddef>

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Sets field `load` of the table on top of the stack: Lua's load, but a long text can be
// interrupted. With text_only, binary chunks are refused whatever the mode, and chunks without an
// env argument see the table at index `environment` (0: the state's globals). Errors: lua (memory).
void set_load_function(lua_State *L, bool text_only, int environment);

// Replaces field `ipairs` of the table on top of the stack by one that obeys a metamethod __ipairs.
// Errors: lua (memory).
void set_ipairs_function(lua_State *L);

// Compiles a text as luaL_loadbufferx does, and returns what lua_load returns. Looks at interrupts
// between pieces of it: an error that one raises is then on top. Errors: none.
int load_text(lua_State *L, const char *text, size_t size, const char *name);

// Replaces utf8.len in the utf8 library on top of the stack by one that can be interrupted.
// Errors: lua (memory).
void set_utf8_functions(lua_State *L);

// Pushes the library bit32 of Lua 5.2, which pllua has. Errors: lua (memory).
int open_bit32(lua_State *L);

} // namespace pllua_bg::lua
