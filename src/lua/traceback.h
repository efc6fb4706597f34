// What is told of the stack: of the modules of the library nothing, as of functions in C. The place
// of an error is that of the caller's code, and the name of a function the one it was called by
// there. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// As luaL_typeerror() and luaL_argerror(), of the function that code outside of the library has
// called, whose arguments the running function in C has got as they were. Errors: lua, always.
void raise_type_error(lua_State *L, int idx, const char *expected);

// Puts debug.traceback() in its place, the library of that name on top. Errors: lua (memory).
void set_traceback_function(lua_State *L);

} // namespace pllua_bg::lua
