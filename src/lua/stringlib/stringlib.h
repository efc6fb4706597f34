// Our own functions of the string library, over Lua's: the same results and messages, but they can
// be interrupted. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Each puts its functions into the string table on top of the stack. Errors: lua (memory).
void set_find_functions(lua_State *L);   // find, match, gmatch
void set_gsub_functions(lua_State *L);   // gsub
void set_rep_function(lua_State *L);     // rep
void set_format_functions(lua_State *L); // format, pack, packsize, unpack: Lua's own behind a guard

} // namespace pllua_bg::lua
