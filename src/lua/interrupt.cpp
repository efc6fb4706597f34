// The one-shot hook and the switches between threads.
#include "lua/interrupt.h"

#include "lua/standing_hook.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

lua_Hook standing_hook;
int standing_mask;

void on_hook(lua_State *L, lua_Debug *) {
    lua_sethook(L, standing_hook, standing_mask, 0);
    serve_interrupt(L);
}

// A pending interrupt is carried over to the thread that runs from now on.
void run(lua_State *L) {
    running = L;
    if (standing_mask != 0 && L != nullptr) [[unlikely]]
        lua_sethook(L, standing_hook, standing_mask, 0);
    if (*hooks.interrupt_flag != 0) arm(L);
}

} // namespace

lua_State *volatile running = nullptr;

void serve_interrupt(lua_State *L) {
    if (*hooks.interrupt_flag != 0) hooks.serve_interrupt(L);
}

void arm(lua_State *L) {
    // Calls and returns too: a thread that is inside a library function has no next
    // instruction for a while.
    if (L != nullptr)
        lua_sethook(L, on_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

int resume(lua_State *co, lua_State *from, int nargs, int *nres) {
    lua_State *before = running;
    run(co);
    int status = lua_resume(co, from, nargs, nres);
    run(before);
    return status;
}

int call(lua_State *L, int nargs, int nresults, int message_handler) {
    lua_State *before = running;
    run(L);
    int status = lua_pcall(L, nargs, nresults, message_handler);
    run(before);
    return status;
}

void set_standing_hook(lua_Hook hook, int mask) {
    standing_hook = hook;
    standing_mask = mask;
}

int call_service(lua_State *L, int nargs, int nresults) {
    // What a call or a finalizer has armed too late.
    lua_sethook(L, nullptr, 0, 0);
    return lua_pcall(L, nargs, nresults, 0);
}

} // namespace pllua_bg::lua
