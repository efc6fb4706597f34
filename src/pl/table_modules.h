// Modules kept in the table that pllua_bg.modules names: `require` in user code.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::pl {

// Makes `require` of user code look there, after all else, and look again at each call whether a
// module from there is still the same. Called once for a new state. Errors: lua (memory).
void prepare_table_modules(lua_State *L);

} // namespace pllua_bg::pl
