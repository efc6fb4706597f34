// User finalizers that can be interrupted. Lua runs __gc with hooks switched off, so an endless one
// could never be stopped; here each runs in a thread of its own, whose hooks are on. Owns, per
// state, a table of shadow metatables.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Puts setmetatable and getmetatable into the table on top of the stack. A table whose metatable
// has __gc gets a shadow of that metatable: a copy made at this call (metamethods added later count
// from the next setmetatable with it), whose __gc runs the user's present one. getmetatable shows
// the user's. Interp::finalizers counts running ones. A chain of more than 200 objects that have
// each other as __call is refused. Errors: lua (memory).
void set_metatable_functions(lua_State *L);

// Collects garbage without running code of users: their finalizers wait for a later collection.
// Errors: none.
void collect_without_finalizers(lua_State *L);

} // namespace pllua_bg::lua
