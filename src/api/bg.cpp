// The module bg: its primitives (the private module 'bg.core'), and the object `bg` that Lua code
// fills at its first use.
#include "api/bg.h"

#include "api/api.h"
#include "api/expected.h"
#include "lua/entry.h"
#include "lua/error.h"
#include "lua/loader.h"
#include "lua/sandbox.h"
#include "lua/userdata.h"
#include "pg/guard.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace pllua_bg::api {

TupleDesc (*expected_row)() = nullptr;

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
    TupleDesc descriptor = expected_row == nullptr ? nullptr : expected_row();
    if (descriptor == nullptr) return 0;
    lua_createtable(L, descriptor->natts, 0);
    for (int i = 0, live = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        char *type = nullptr;
        pg::call_pure(L, [&] { type = format_type_be(column->atttypid); });
        lua_createtable(L, 0, 3);
        lua_pushstring(L, type);
        lua_setfield(L, -2, "type");
        lua_pushstring(L, NameStr(column->attname));
        lua_setfield(L, -2, "name");
        lua_pushinteger(L, column->atttypid);
        lua_setfield(L, -2, "oid");
        lua_rawseti(L, -2, ++live);
    }
    return 1;
}

// What lua/bg is built on; internal functions:
const luaL_Reg kCommandFunctions[] = {
    {"exec", lua::entry<bg_exec>},
    {"send", lua::entry<bg_send>},
    {"post", lua::entry<bg_post>},
    {"wait_one", lua::entry<bg_wait_one>},
    {"wait_any", lua::entry<bg_wait_any>},
    {"state", lua::entry<bg_state>},
    {"fetch", lua::entry<bg_fetch>},
    {"newest", lua::entry<bg_newest>},
    {"oldest", lua::entry<bg_oldest>},
    {"last", lua::entry<bg_last>},
    {"cancel_command", lua::entry<bg_cancel_command>},
    {"on_commit", lua::entry<bg_on_commit>},
    {"forget", lua::entry<bg_forget>},
    {"stream", lua::entry<bg_stream>},
    {"prepare", lua::entry<bg_prepare>},
    {"release", lua::entry<bg_release>},
    {"statement_session", lua::entry<bg_statement_session>},
    {"raise", lua::entry<raise_error>},
    {"now", lua::entry<now>},
    {"handle", lua::entry<create_handle>},
    {"is_session", lua::entry<is_session>},
    {"expected_columns", lua::entry<expected_columns>},
    {nullptr, nullptr},
};

void push_core(lua_State *L) {
    lua_createtable(L, 0, 40);
    lua::set_functions(L, kCommandFunctions);
    lua::set_functions(L, kSessionFunctions);
    lua::set_functions(L, kOversightFunctions);
    lua::set_functions(L, kNotifyFunctions);
    lua_pushinteger(L, static_cast<lua_Integer>(session::kAnyNotification));
    lua_setfield(L, -2, "any_notification");
    lua::set_functions(L, kSchedulingFunctions);
    lua::new_metatable(L, kSessionHandle);
    lua_setfield(L, -2, "session_metatable");
    push_prepared_metatable(L);
    lua_setfield(L, -2, "statement_metatable");
}

// Fills `bg` (at index 1) by running the Lua part, and takes away the metatable that brought us
// here.
void fill(lua_State *L) {
    if (lua::load_embedded(L, "bg") == 0) luaL_error(L, "module bg is missing");
    lua_pushliteral(L, "bg");
    lua_pushvalue(L, 1);
    lua_call(L, 2, 0);
    lua_pushnil(L);
    lua_setmetatable(L, 1);
}

// __index of `bg` until it is filled.
int index_first(lua_State *L) {
    fill(L);
    lua_settop(L, 2);
    lua_rawget(L, 1);
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
        {"__index", lua::entry<index_first>},
        {"__pairs", lua::entry<pairs_first>},
        {nullptr, nullptr},
    };
    open_streams(L);
    push_core(L);
    lua::set_private_module(L, "bg.core");
    lua_createtable(L, 0, 32);
    lua_createtable(L, 0, 3);
    lua::set_functions(L, kFirstUse);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua::set_global(L, "bg");
    lua::set_module(L, "bg");
}

} // namespace pllua_bg::api
