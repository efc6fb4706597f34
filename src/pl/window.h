// Window functions: the arguments of the current row, and the object `window` through which a
// function reads those of other rows. Owns the object, per Lua state.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"

namespace pllua_bg::pl {

// Puts the arguments of the current row into a call that the server has made without them.
// Errors: pg (42809: the call is none of a window; the arguments').
void fetch_current_row(FunctionCallInfo fcinfo);
// Pushes the object `window`: it reads from the window function that is running, and from none
// where another function is. Errors: lua.
void push_window(lua_State *L);

} // namespace pllua_bg::pl
