// Our own functions of the table library, over Lua's: the same results, but they can be
// interrupted. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Each puts its functions into the table library on top of the stack. Errors: lua (memory).
void set_table_functions(lua_State *L); // insert, remove, move, concat
void set_sort_function(lua_State *L);   // sort

} // namespace pllua_bg::lua
