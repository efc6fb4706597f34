// Primitives of bg to oversee sessions: identity, notes, a last command, a look at a command that
// takes nothing, progress, termination. For lua/pg_background.
#include "api/bg/bg.h"

#include <limits>

#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "types/helpers.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pllua_bg::api {

namespace {

void set_time(lua_State *L, const char *key, TimestampTz time) {
    if (time == 0) return;
    const char *text = nullptr;
    pg::call_no_subxact(L, [&] { text = timestamptz_to_str(time); });
    lua::set_text(L, key, text);
}

// identity(handle): {cookie, launched_at, user, queue_size}; nothing when the session is no more.
int identity(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    session::Identity identity = {};
    bool found = false;
    pg::call_own_subxact(L, [&] {
        const session::Session *session = open_session(handle);
        if (session == nullptr) return;
        found = true;
        identity = session::identity(session);
    });
    if (!found) return 0;
    lua_createtable(L, 0, 4);
    lua::set_integer(L, "cookie", identity.cookie);
    lua::set_integer(L, "user", identity.user);
    lua::set_integer(L, "queue_size", static_cast<lua_Integer>(identity.queue_size));
    set_time(L, "launched_at", identity.launched_at);
    return 1;
}

// find_exact(pid, cookie): the number of the session, or nothing. Errors: 42501.
int find_exact(lua_State *L) {
    const int pid = static_cast<int>(luaL_checkinteger(L, 1));
    const lua_Integer cookie = luaL_checkinteger(L, 2);
    const session::Session *session = nullptr;
    pg::call_own_subxact(L, [&] {
        session = session::find_exact(pid, cookie);
        if (session != nullptr) session::check_owner(session);
    });
    if (session == nullptr) return 0;
    lua_pushinteger(L, static_cast<lua_Integer>(session::number(session)));
    return 1;
}

// note(handle): the bytes kept with the session, or nothing. note(handle, bytes) replaces them.
int note(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    size_t length = 0;
    const char *bytes = luaL_optlstring(L, 2, nullptr, &length);
    const char *kept = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session == nullptr) return;
        if (bytes != nullptr)
            session::set_note(session, bytes, length);
        else
            kept = session::note(session, &length);
    });
    if (kept == nullptr) return 0;
    lua_pushlstring(L, kept, length);
    return 1;
}

// send_last(handle, sql, quiet): the number of the command, after which the worker ends.
int send_last(lua_State *L) {
    SessionHandle *handle = check_handle(L, 1);
    const char *sql = statement_text(L, 2);
    const bool quiet = lua_toboolean(L, 3);
    pg::call_own_subxact(L, [&] {
        session::Session *session = require_session(handle);
        handle->last = session::send_last(session, sql, quiet);
    });
    lua_pushinteger(L, static_cast<lua_Integer>(handle->last));
    return 1;
}

void set_error(lua_State *L, const ErrorData *error) {
    lua::set_text(L, "sqlstate", unpack_sql_state(error->sqlerrcode));
    lua::set_text(L, "message", error->message);
    lua::set_text(L, "detail", error->detail);
    lua::set_text(L, "hint", error->hint);
    lua::set_text(L, "context", error->context);
    lua::set_text(L, "schema", error->schema_name);
    lua::set_text(L, "table", error->table_name);
    lua::set_text(L, "column", error->column_name);
    lua::set_text(L, "constraint", error->constraint_name);
}

// Rows of a statement: those returned, or else those its tag counts.
lua_Integer row_count(const session::StatementResult *statement) {
    const uint64 rows = statement->nrows > 0 ? statement->nrows : tag_count(statement->tag);
    return static_cast<lua_Integer>(rows);
}

// look(handle, id): what is known of a command, as one flat table; nothing when it was taken.
int look(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const auto id = static_cast<session::CommandId>(luaL_checkinteger(L, 2));
    const session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session == nullptr) return;
        session::receive(session);
        session::Command *found = session::command(session, id);
        if (found != nullptr) session::unpack(session, found);
        command = found;
    });
    if (command == nullptr) return 0;
    const bool pending = command->state == session::CommandState::kPending;
    lua_createtable(L, 0, 16);
    const char *settled = command->error == nullptr ? "complete" : "failed";
    lua::set_text(L, "state", pending ? "pending" : settled);
    set_time(L, "started_at", command->begun);
    set_time(L, "finished_at", command->ended);
    if (command->begun != 0) {
        lua_pushnumber(L, static_cast<lua_Number>(command->ended - command->begun) / 1000);
        lua_setfield(L, -2, "milliseconds");
    }
    if (command->error != nullptr && !pending) set_error(L, command->error);
    if (command->statements.last != nullptr && command->error == nullptr && !pending) {
        lua::set_text(L, "tag", command->statements.last->tag);
        lua::set_integer(L, "rows", row_count(command->statements.last));
    }
    return 1;
}

// report_progress(done [, total [, message]]): false when this is not a worker. Errors: 22023.
int report_progress(lua_State *L) {
    const lua_Number done = luaL_checknumber(L, 1);
    const lua_Number total = luaL_optnumber(L, 2, std::numeric_limits<lua_Number>::quiet_NaN());
    size_t length;
    const char *message = lua_isnoneornil(L, 3) ? "" : types::checked_string(L, 3, &length);
    bool reported = false;
    pg::call_own_subxact(L, [&] { reported = session::report_progress(done, total, message); });
    lua_pushboolean(L, reported);
    return 1;
}

// show_work(handle, done, total, message): false when the session is no more; total may be nil.
int show_work(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const lua_Number done = luaL_checknumber(L, 2);
    const lua_Number total = luaL_optnumber(L, 3, std::numeric_limits<lua_Number>::quiet_NaN());
    const char *message = luaL_checkstring(L, 4);
    bool found = false;
    pg::call_no_subxact(L, [&] {
        session::Session *session = session::by_number(handle->number);
        found = session != nullptr;
        if (found) session::show_work(session, done, total, message);
    });
    lua_pushboolean(L, found);
    return 1;
}

// clip(text, n): its first n characters.
int clip(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const lua_Integer limit = luaL_checkinteger(L, 2);
    lua_pushlstring(
        L, text, pg::length_of_characters(text, length, limit < 0 ? 0 : static_cast<Size>(limit)));
    return 1;
}

// pg_background_settings(): max_workers, worker_timeout in ms, default_queue_size in bytes.
int settings(lua_State *L) {
    pg::PgBackgroundSettings settings = {};
    pg::call_own_subxact(L, [&] { settings = pg::pg_background_settings(); });
    lua_createtable(L, 0, 3);
    lua::set_integer(L, "max_workers", settings.max_workers);
    lua::set_integer(L, "worker_timeout", settings.worker_timeout);
    lua::set_integer(L, "default_queue_size", settings.default_queue_size);
    return 1;
}

} // namespace

// What lua/pg_background is built on; internal functions:
const luaL_Reg kOversightFunctions[] = {
    {"identity", identity},
    {"find_exact", find_exact},
    {"note", note},
    {"send_last", send_last},
    {"look", look},
    {"report_progress", report_progress},
    {"show_work", show_work},
    {"clip", clip},
    {"pg_background_settings", settings},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
