// What this floor calls upward through. Set in src/module.cpp;
// where there is no server, states stand alone.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

struct Hooks {
    // Not 0 when an interrupt waits to be served.
    volatile int *interrupt_flag;
    // Serves it; must be ready for a call when there is nothing to do. Errors: lua.
    void (*serve_interrupt)(lua_State *L);
    // Resumes the thread of a finalizer, as resume() does. Errors: none.
    int (*resume_finalizer)(lua_State *co, lua_State *from, int nargs, int *nres);
    // Whether no further call may be made. Errors: none.
    bool (*stack_is_too_deep)();
};
extern Hooks hooks;

} // namespace pllua_bg::lua
