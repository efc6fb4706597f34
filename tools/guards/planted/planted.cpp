// Functions that do what may not happen, for tools/check-guards to see that its library notices each.
extern "C" {
#include "postgres.h"

#include "fmgr.h"

#include "lauxlib.h"
#include "lua.h"

PG_MODULE_MAGIC;
}

namespace {

int report(lua_State *) {
    elog(ERROR, "planted");
    return 0;
}

int notice(lua_State *) {
    elog(DEBUG5, "planted");
    return 0;
}

int raise_in_guard(lua_State *L) {
    PG_TRY();
    {
        lua_pushliteral(L, "planted");
        lua_error(L);
    }
    PG_CATCH();
    {
        PG_RE_THROW();
    }
    PG_END_TRY();
    return 0;
}

// Without a report.
int rethrow(lua_State *) {
    PG_RE_THROW();
    return 0;
}

int leave_context(lua_State *L) {
    ErrorContextCallback callback = {error_context_stack, nullptr, nullptr};
    error_context_stack = &callback;
    return luaL_error(L, "planted");
}

// Is not guarded, though it may raise.
int call_out(lua_State *L) {
    pfree(palloc(10));
    lua_pushinteger(L, 1);
    return 1;
}

Datum run(lua_CFunction function) {
    lua_State *L = luaL_newstate();
    lua_pushcfunction(L, function);
    const int status = lua_pcall(L, 0, 0, 0);
    lua_close(L);
    return Int32GetDatum(status);
}

// Nobody would catch its error.
Datum call_lua() {
    lua_State *L = luaL_newstate();
    lua_newtable(L);
    lua_close(L);
    return Int32GetDatum(0);
}

} // namespace

#define PLANT(name, call)                           \
    extern "C" {                                    \
    Datum planted_##name(PG_FUNCTION_ARGS);         \
    PG_FUNCTION_INFO_V1(planted_##name);            \
    Datum planted_##name(PG_FUNCTION_ARGS) {        \
        (void)fcinfo;                               \
        return call;                                \
    }                                               \
    }

PLANT(report, run(report))
PLANT(notice, run(notice))
PLANT(rethrow, run(rethrow))
PLANT(leave_context, run(leave_context))
PLANT(raise_in_guard, run(raise_in_guard))
PLANT(call_out, run(call_out))
PLANT(call_lua, call_lua())
