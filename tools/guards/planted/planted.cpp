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

// Cannot raise, and is not guarded.
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

} // namespace

#define PLANT(name)                                 \
    extern "C" {                                    \
    Datum planted_##name(PG_FUNCTION_ARGS);         \
    PG_FUNCTION_INFO_V1(planted_##name);            \
    Datum planted_##name(PG_FUNCTION_ARGS) {        \
        (void)fcinfo;                               \
        return run(name);                           \
    }                                               \
    }

PLANT(report)
PLANT(notice)
PLANT(raise_in_guard)
PLANT(call_out)
