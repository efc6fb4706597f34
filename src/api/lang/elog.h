// Messages to the client and the log from Lua code. Owns nothing.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Puts elog, error, warning, notice, info, log and debug into the table on top of the stack.
// Errors: lua (memory).
void add_elog_functions(lua_State *L);

// Sends the text on top of the stack, which may be any bytes, as a message. Errors: lua.
void send_text(lua_State *L, int severity);

} // namespace pllua_bg::api
