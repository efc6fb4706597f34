// A debug hook for all threads that run, beside the one-shot hook of interrupts. Owned by
// interrupt.cpp.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// From the next switch to a thread on, the running one has this hook; a mask of 0: none. Threads
// that had it keep it: it has to take itself away there. Errors: none.
void set_standing_hook(lua_Hook hook, int mask);

} // namespace pllua_bg::lua
