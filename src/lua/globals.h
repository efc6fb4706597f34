// Which global variables a compiled chunk uses, read from what the compiler made of it. Owns
// nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Calls visit for each use of a global variable in the Lua function on top of the stack, a chunk,
// and in all functions inside it: those written as a name alone, in chunks of the Lua this is built
// with. One function may tell of its uses before the one around it; lines grow within a function.
// The stack is as it was before, also inside visit. Errors: lua (memory), visit's.
void visit_globals(lua_State *L, void (*visit)(void *data, const char *name, int line), void *data);

} // namespace pllua_bg::lua
