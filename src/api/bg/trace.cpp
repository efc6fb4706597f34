// Primitives of bg for lua/bg/trace.lua: notes of the commands that this backend sends to sessions.
#include "api/bg/bg.h"

#include "lua/fields.h"
#include "lua/interrupt.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "session/shared/trace.h"

extern "C" {
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kTrace[] = "bg.commands of a trace";

// What the trace had when it was begun, and what of it is Lua's.
struct TraceHandle {
    session::Trace *trace; // nullptr: freed
};

TraceHandle *check_trace(lua_State *L) {
    auto *handle = lua::check_userdata<TraceHandle>(L, 1, kTrace);
    if (handle->trace == nullptr) luaL_error(L, "the trace was freed");
    return handle;
}

// Seconds from the beginning of the trace to a time.
void set_seconds(lua_State *L, const char *key, TimestampTz time, TimestampTz began) {
    if (time == 0) return;
    lua_pushnumber(L, static_cast<lua_Number>(time - began) / USECS_PER_SEC);
    lua_setfield(L, -2, key);
}

const char *state_name(session::TracedState state) {
    switch (state) {
    case session::TracedState::kPending: return "pending";
    case session::TracedState::kComplete: return "ok";
    case session::TracedState::kFailed: return "failed";
    case session::TracedState::kLeft: return "left";
    }
    return nullptr;
}

void push_command(lua_State *L, const session::TracedCommand &traced, TimestampTz began,
                  bool shown) {
    lua_createtable(L, 0, 16);
    lua::set_integer(L, "session", static_cast<lua_Integer>(traced.session));
    if (traced.pid != 0) lua::set_integer(L, "pid", traced.pid);
    if (traced.name[0] != '\0') lua::set_text(L, "name", traced.name);
    if (traced.server[0] != '\0') lua::set_text(L, "server", traced.server);
    if (traced.task != 0) lua::set_integer(L, "task", traced.task);
    lua::set_text(L, "state", state_name(traced.state));
    lua::set_text(L, "kind", traced.prepares ? "prepare" : "command");
    if (traced.sqlstate != 0) lua::set_text(L, "sqlstate", unpack_sql_state(traced.sqlstate));
    if (shown) lua::set_text(L, "error", traced.error);
    set_seconds(L, "sent", traced.sent, began);
    set_seconds(L, "begun", traced.begun, began);
    set_seconds(L, "ended", traced.ended, began);
}

// trace_begin(most): begins to note commands; the trace.
int trace_begin(lua_State *L) {
    const auto most = static_cast<uint32>(luaL_checkinteger(L, 1));
    auto *handle = lua::new_userdata<TraceHandle>(L, kTrace);
    pg::call_no_subxact(L, [&] { handle->trace = session::begin_trace(most); });
    return 1;
}

// trace_receive(): takes what sessions have sent by now.
int trace_receive(lua_State *L) {
    pg::call_no_subxact(L, [] {
        session::for_each([](session::Session *session, void *) { session::receive(session); },
                          nullptr);
    });
    return 0;
}

// trace_end(trace): nothing is noted any more.
int trace_end(lua_State *L) {
    session::end_trace(check_trace(L)->trace);
    return 0;
}

// trace_commands(trace): the commands, and how many more there were. What the current user may not
// see of them is left out.
int trace_commands(lua_State *L) {
    const session::TracedCommands traced = session::traced_commands(check_trace(L)->trace);
    Oid user = InvalidOid;
    bool shown = false;
    const char *sql = nullptr;
    lua_settop(L, 1);
    lua_createtable(L, static_cast<int>(traced.count), 0);
    lua_pushnil(L); // the text of `sql`: most have that of the one before
    for (uint32 i = 0; i < traced.count; i++) {
        lua::check_interrupt(L);
        const session::TracedCommand &command = traced.first[i];
        if (command.user != user) {
            user = command.user;
            sql = nullptr;
            pg::call_own_subxact(L, [&] { shown = has_privs_of_role(GetUserId(), user); });
        }
        if (command.sql != sql) {
            sql = command.sql;
            lua_pushstring(L, shown ? sql : "<insufficient privilege>");
            lua_replace(L, 3);
        }
        push_command(L, command, traced.began, shown);
        lua_pushvalue(L, 3);
        lua_setfield(L, -2, "sql");
        lua_rawseti(L, 2, static_cast<lua_Integer>(i) + 1);
    }
    lua_settop(L, 2);
    lua_pushinteger(L, static_cast<lua_Integer>(traced.dropped));
    return 2;
}

// trace_time(trace, seconds): that time after its beginning, as text.
int trace_time(lua_State *L) {
    const session::TracedCommands traced = session::traced_commands(check_trace(L)->trace);
    const auto after = static_cast<int64>(luaL_checknumber(L, 2) * USECS_PER_SEC);
    const char *text = nullptr;
    pg::call_no_subxact(L, [&] { text = timestamptz_to_str(traced.began + after); });
    lua_pushstring(L, text);
    return 1;
}

// trace_task(): a number that no task has had. trace_task(number): the task of what is sent from
// now on; 0: none.
int trace_task(lua_State *L) {
    static lua_Integer last = 0;
    if (!lua_isnoneornil(L, 1)) {
        session::set_traced_task(luaL_checkinteger(L, 1));
        return 0;
    }
    lua_pushinteger(L, ++last);
    return 1;
}

int collect_trace(lua_State *L) {
    auto *handle = lua::check_userdata<TraceHandle>(L, 1, kTrace);
    if (handle->trace != nullptr) session::free_trace(handle->trace);
    handle->trace = nullptr;
    return 0;
}

} // namespace

void open_traces(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {{"__gc", collect_trace}, {nullptr, nullptr}};
    lua::new_metatable(L, kTrace);
    luaL_setfuncs(L, kMetamethods, 0);
    lua_pop(L, 1);
}

// What lua/bg is built on; internal functions:
const luaL_Reg kTraceFunctions[] = {
    {"trace_begin", trace_begin}, {"trace_receive", trace_receive},
    {"trace_end", trace_end},     {"trace_commands", trace_commands},
    {"trace_time", trace_time},   {"trace_task", trace_task},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
