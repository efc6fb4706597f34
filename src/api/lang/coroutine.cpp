// coroutine.create, resume, wrap, yield and close that keep levels of pcall, interrupts and pending
// server errors right. status, running and isyieldable are Lua's own.
#include "api/api.h"
#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "lua/error.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "lua/stack.h"
#include "pg/subxact.h"

namespace pllua_bg::api {

RowSink *row_sink = nullptr;

namespace {

lua_State *check_coroutine(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co != nullptr, 1, "coroutine");
    return co;
}

// Moves the arguments over, resumes, and moves the results back. The number of results, or -1 with
// the error value on top.
int resume_with(lua_State *L, lua_State *co, int nargs) {
    lua::check_stack(L);
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, nargs);
    int nresults = 0;
    const int status = resume(co, L, nargs, &nresults);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, nresults + 1)) {
        lua_pop(co, nresults);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, nresults);
    return nresults;
}

int coroutine_resume(lua_State *L) {
    lua_State *co = check_coroutine(L);
    const int nresults = resume_with(L, co, lua_gettop(L) - 1);
    raise_pending(L);
    if (nresults < 0) pass_on(L);
    lua_pushboolean(L, nresults >= 0);
    lua_insert(L, nresults >= 0 ? -nresults - 1 : -2);
    return nresults >= 0 ? nresults + 1 : 2;
}

int wrapped_resume(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    const int nresults = resume_with(L, co, lua_gettop(L));
    if (nresults >= 0) {
        raise_pending(L);
        return nresults;
    }
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        // The error value was moved here already; closing wants it on its own stack.
        lua_xmove(L, co, 1);
        status = close_thread(co);
        lua_xmove(co, L, 1);
    }
    raise_pending(L);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

int finish_body(lua_State *L, int status, lua_KContext) {
    if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
    return lua_gettop(L);
}

// What a coroutine runs: its function (upvalue 1), protected once. An error raised by a debug hook,
// as a cancel is, leaves the hooks of the thread switched off until a protected call inside the
// thread ends; without one, what the coroutine has left to close could loop for ever.
int run_body(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    const int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, finish_body);
    return finish_body(L, status, 0);
}

int coroutine_create(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, run_body, 1);
    lua_xmove(L, co, 1);
    return 1;
}

int coroutine_wrap(lua_State *L) {
    coroutine_create(L);
    lua_pushcclosure(L, wrapped_resume, 1);
    return 1;
}

int coroutine_yield(lua_State *L) {
    RowSink *sink = row_sink;
    if (sink == nullptr || sink->thread != L) {
        check_yieldable(L);
        if (!lua_isyieldable(L))
            lua::raise_hint(
                L, "0A000",
                "Rows are yielded by functions that return a set, other values by coroutines.",
                "nothing takes what is yielded here");
        return lua_yield(L, lua_gettop(L));
    }
    if (!sink->stores) check_yieldable(L);
    sink->take(L, sink);
    return sink->stores ? 0 : lua_yield(L, 0);
}

int coroutine_close(lua_State *L) {
    lua_State *co = check_coroutine(L);
    if (!may_be_closed(L, co))
        return luaL_error(L, "cannot close a %s coroutine", co == L ? "running" : "normal");
    lua::check_stack(L);
    const int status = close_thread(co);
    raise_pending(L);
    lua_pushboolean(L, status == LUA_OK);
    if (status == LUA_OK) return 1;
    lua_xmove(co, L, 1);
    pass_on(L);
    return 2;
}

} // namespace

bool may_be_closed(lua_State *L, lua_State *co) {
    if (co == L) return false;
    if (lua_status(co) != LUA_OK) return true;
    lua_Debug activation;
    return lua_getstack(co, 0, &activation) == 0;
}

void open_coroutine(lua_State *L) {
    const luaL_Reg functions[] = {
        {"create", coroutine_create}, {"resume", coroutine_resume}, {"wrap", coroutine_wrap},
        {"yield", coroutine_yield},   {"close", coroutine_close},
    };
    for (const luaL_Reg &function : functions) {
        lua_pushcfunction(L, function.func);
        lua::set_library_member(L, "coroutine", function.name);
    }
}

} // namespace pllua_bg::api
