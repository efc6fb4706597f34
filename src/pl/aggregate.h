// States of aggregates: arguments and results of type internal. Such a state is any Lua value; the
// server carries a pointer to where it is bound, and only pointers of our own are taken. Owns
// nothing.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"

namespace pllua_bg::pl {

// Pushes the state that an argument of type internal stands for. Errors: lua (0A000: it is none of
// this Lua state's).
void push_state(lua_State *L, Datum value, bool isnull);
// The datum of the state at idx; nil is NULL. It takes the place of the state that the running
// function was given, else a new one, which goes with the aggregate's memory. Errors: lua (0A000:
// no aggregate is running; 53200).
Datum take_state(lua_State *L, int idx, bool *isnull);

} // namespace pllua_bg::pl
