// The hooks of states that stand alone: nothing interrupts, and the stack has a limit of our own.
#include "lua/hooks.h"

#include "lua/interrupt.h"
#include "lua/stack.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

volatile int no_interrupt = 0;

void ignore_interrupt(lua_State *) {}

} // namespace

Hooks hooks = {&no_interrupt, ignore_interrupt, resume, is_beyond_own_limit};

} // namespace pllua_bg::lua
