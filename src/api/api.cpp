// Puts together what Lua code sees of us. See api.h for the contracts.
#include "api/api.h"

#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "api/lang/result.h"
#include "lua/error.h"
#include "lua/sandbox.h"
#include "lua/state.h"
#include "pg/settings.h"
#include "types/types.h"

namespace pllua_bg::api {

namespace {

// The module 'pllua.error' also has the functions that catch errors.
void open_error_module(lua_State *L) {
    // pllua has the names with an s for "pcall in a subtransaction".
    const char *const names[][2] = {
        {"pcall", "pcall"},  {"xpcall", "xpcall"},  {"lpcall", "lpcall"},
        {"spcall", "pcall"}, {"sxpcall", "xpcall"}, {"subtransaction", "pcall"},
    };
    lua::open_error(L);
    for (const auto &name : names) {
        lua_getglobal(L, name[1]);
        lua_setfield(L, -2, name[0]);
    }
    lua::set_module(L, "pllua.error");
}

void open_type_modules(lua_State *L) {
    types::open_pgtype(L);
    lua_pushvalue(L, -1);
    lua::set_module(L, "pllua.pgtype");
    lua::set_global(L, "pgtype");
    types::open_numeric(L);
    lua::set_module(L, "pllua.numeric");
    types::open_jsonb(L);
    lua::set_module(L, "pllua.jsonb");
    types::open_time(L);
    lua::set_module(L, "pllua.time");
}

// Not for trusted code: only the administrator's start-up code reaches it.
void open_trusted_module(lua_State *L) {
    lua::open_trusted(L);
    lua_pushvalue(L, -1);
    lua::set_private_module(L, "pllua.trusted");
    if (lua::interp(L)->trusted)
        lua_setglobal(L, "trusted"); // for on_trusted_init
    else
        lua_pop(L, 1);
}

// Where the administrator wants it so, code requires them.
void remove_module_globals(lua_State *L) {
    const char *const names[] = {"bg", "pgtype", "spi"};
    for (const char *name : names) {
        lua_pushnil(L);
        lua::set_global(L, name);
    }
}

} // namespace

void open(lua_State *L) {
    open_protect(L);
    open_coroutine(L);
    open_error_module(L);
    open_elog(L);
    open_type_modules(L);
    open_results(L);
    open_spi(L);
    open_bg(L);
    open_profiler(L);
    open_trusted_module(L);
    open_globals(L);
    if (!pg::setting_install_globals) remove_module_globals(L);
    lua_settop(L, 0);
}

} // namespace pllua_bg::api
