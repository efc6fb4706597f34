// The shape of every function that Lua calls. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Turns F into what lua_pushcfunction takes. F may raise Lua errors, so its frame holds nothing
// with a destructor; it may not let a server error pass (pg::call converts those). F returns the
// number of its results.
template <int (*F)(lua_State *)> int entry(lua_State *L) { return F(L); }

// Puts functions (ended by {nullptr, nullptr}) into the table on top of the stack. Errors: lua
// (memory).
inline void set_functions(lua_State *L, const luaL_Reg *functions) {
    luaL_setfuncs(L, functions, 0);
}

} // namespace pllua_bg::lua
