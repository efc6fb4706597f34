// Errors on their way between the server and Lua. Owns nothing.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Raises an error of the server in Lua, and takes it over: pg::Hooks::raise_in_lua. Errors: lua.
void raise_error_data(lua_State *L, ErrorData *error);

// Pushes the Lua error object of an error, with all its fields.
// Does not take ownership. Errors: lua (memory).
void push_error_data(lua_State *L, const ErrorData *error);

// The server's form of the Lua error value at idx: of an error object with all its fields,
// of anything else with the message tostring() gives. *fresh:
// no server code has reported it yet, so raise it with pg::raise_fresh; else with pg::rethrow.
// The caller owns it (pg::free_error). Errors: none.
ErrorData *error_from_lua(lua_State *L, int idx, bool *fresh);

// Raises the pending server error in Lua, if there is one. Every place where Lua code might go on
// after an error calls it.
void raise_pending(lua_State *L);
// The same where Lua code has failed and nothing was undone, the error value on top: an error
// object of the server, or one of spi.error, is raised again.
void pass_on(lua_State *L);

} // namespace pllua_bg::api
