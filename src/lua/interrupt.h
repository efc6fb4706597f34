// How a pending interrupt of the server reaches running Lua code,
// without a cost while there is none. Owns the mark which thread runs now.
// A signal handler that finds an interrupt pending calls arm(running).
#pragma once

#include "lua/hooks.h"
#include "lua/lua_api.h"

namespace pllua_bg::lua {

// The thread that runs Lua code now; null when none does. Written by resume() and call(), and where
// a thread is closed (src/api/lang/protect.cpp).
extern lua_State *volatile running;

// Serves an interrupt when there is one. For loops in C++ code. Errors: lua.
void serve_interrupt(lua_State *L);
inline void check_interrupt(lua_State *L) {
    if (*hooks.interrupt_flag != 0) [[unlikely]]
        serve_interrupt(L);
}

// Makes the thread call serve_interrupt at its next instruction, call or return, once. L may be
// null. Takes the place of a hook set by debug.sethook. Async-signal-safe. Errors: none.
void arm(lua_State *L);

// lua_resume and lua_pcall (with its message handler index) that keep `running` right and carry a
// pending interrupt over each switch. The only way to run user code. Errors: none. An error raised
// by the hook leaves the thread's hooks switched off until a protected call inside that thread has
// caught it; a message handler runs before that. So no user code as message handler of call(), and
// no thread is used again whose resume() failed without a protected call inside.
int resume(lua_State *co, lua_State *from, int nargs, int *nres);
int call(lua_State *L, int nargs, int nresults, int message_handler);
// lua_pcall of a function of our own that calls no user code: an interrupt waits until it has
// ended, so it fails for want of memory only, and nothing is left half made. Finalizers that run
// meanwhile are interrupted. Errors: none.
int call_service(lua_State *L, int nargs, int nresults);

} // namespace pllua_bg::lua
