// The module bg: its primitives (the private module 'bg.core'), and the object `bg` that Lua code
// fills at its first use.
#include "api/bg/bg.h"

#include "api/api.h"
#include "api/hooks.h"
#include "lua/error.h"
#include "lua/fields.h"
#include "lua/loader.h"
#include "lua/sandbox.h"
#include "lua/userdata.h"
#include "pg/guard.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace pllua_bg::api {

Hooks hooks;

namespace {

// raise(sqlstate, message [, hint])
int raise_error(lua_State *L) {
    const char *sqlstate = luaL_checkstring(L, 1);
    const char *message = luaL_checkstring(L, 2);
    const char *hint = luaL_optstring(L, 3, nullptr);
    if (hint == nullptr) lua::raise(L, sqlstate, "%s", message);
    lua::raise_hint(L, sqlstate, hint, "%s", message);
}

// Seconds on a clock that only goes forward.
int now(lua_State *L) {
    instr_time time;
    INSTR_TIME_SET_CURRENT(time);
    lua_pushnumber(L, INSTR_TIME_GET_DOUBLE(time));
    return 1;
}

int create_handle(lua_State *L) {
    push_handle(L, static_cast<uint64>(luaL_checkinteger(L, 1)));
    return 1;
}

int is_session(lua_State *L) {
    lua_pushboolean(L, lua::test_userdata(L, 1, kSessionHandle) != nullptr);
    return 1;
}

// expected_columns(): a list of {name, type, oid}, or nothing.
int expected_columns(lua_State *L) {
    TupleDesc descriptor = hooks.expected_row();
    if (descriptor == nullptr) return 0;
    lua_createtable(L, descriptor->natts, 0);
    for (int i = 0, live = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        char *type = nullptr;
        pg::call_own_subxact(L, [&] { type = format_type_be(column->atttypid); });
        lua_createtable(L, 0, 3);
        lua::set_text(L, "type", type);
        lua::set_text(L, "name", NameStr(column->attname));
        lua::set_integer(L, "oid", column->atttypid);
        lua_rawseti(L, -2, ++live);
    }
    return 1;
}

// What lua/bg is built on; internal functions:
const luaL_Reg kCommandFunctions[] = {
    {"exec", bg_exec},
    {"send", bg_send},
    {"send_quiet", bg_send_quiet},
    {"post", bg_post},
    {"wait_one", bg_wait_one},
    {"wait_any", bg_wait_any},
    {"state", bg_state},
    {"fetch", bg_fetch},
    {"newest", bg_newest},
    {"oldest", bg_oldest},
    {"last", bg_last},
    {"cancel_command", bg_cancel_command},
    {"on_commit", bg_on_commit},
    {"forget", bg_forget},
    {"stream", bg_stream},
    {"prepare", bg_prepare},
    {"release", bg_release},
    {"statement_session", bg_statement_session},
    {"raise", raise_error},
    {"now", now},
    {"handle", create_handle},
    {"is_session", is_session},
    {"expected_columns", expected_columns},
    {nullptr, nullptr},
};

void push_core(lua_State *L) {
    lua_createtable(L, 0, 96);
    luaL_setfuncs(L, kCommandFunctions, 0);
    luaL_setfuncs(L, kSessionFunctions, 0);
    luaL_setfuncs(L, kOversightFunctions, 0);
    luaL_setfuncs(L, kNotifyFunctions, 0);
    lua::set_integer(L, "any_notification", static_cast<lua_Integer>(session::kAnyNotification));
    luaL_setfuncs(L, kSchedulingFunctions, 0);
    luaL_setfuncs(L, kJobFunctions, 0);
    luaL_setfuncs(L, kTraceFunctions, 0);
    open_traces(L);
    open_conditions(L);
    open_handles(L);
    push_prepared_metatable(L);
    lua_setfield(L, -2, "statement_metatable");
}

// Fills `bg` (at index 1) by running the Lua part, which gives it another metatable than the one
// that brought us here.
void fill(lua_State *L) {
    if (lua::load_embedded(L, "bg") == 0) luaL_error(L, "module bg is missing");
    lua_pushliteral(L, "bg");
    lua_pushvalue(L, 1);
    lua_call(L, 2, 2);
    lua_setmetatable(L, 1);
    lua_settop(L, 2);
}

// __index of `bg` until it is filled.
int index_first(lua_State *L) {
    fill(L);
    lua_gettable(L, 1);
    return 1;
}

// __pairs of `bg` until it is filled.
int pairs_first(lua_State *L) {
    fill(L);
    lua_getglobal(L, "next");
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

} // namespace

void open_bg(lua_State *L) {
    static const luaL_Reg kFirstUse[] = {
        {"__index", index_first},
        {"__pairs", pairs_first},
        {nullptr, nullptr},
    };
    open_streams(L);
    push_core(L);
    lua::set_private_module(L, "bg.core");
    lua_createtable(L, 0, 32);
    lua_createtable(L, 0, 3);
    luaL_setfuncs(L, kFirstUse, 0);
    lua::set_boolean(L, "__metatable", false);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua::set_global(L, "bg");
    lua::set_module(L, "bg");
}

} // namespace pllua_bg::api
