// Primitives of bg that concern single commands: send, wait, state, fetch, and exec, which is all
// three at once.
#include "api/bg/bg.h"

#include "api/spi/param_arena.h"
#include "lua/error.h"
#include "lua/stack.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "pg/subxact.h"
#include "types/helpers.h"
#include "types/hooks.h"
#include "types/types.h"

namespace pllua_bg::api {

namespace {

// Waits on the stack up to this many without allocating.
constexpr int kFewWaits = 8;

// A cursor goes as its name. Errors: lua (34000 it has none).
void name_cursors(lua_State *L, int idx, int n) {
    for (int i = idx; i < idx + n; i++) {
        if (lua_type(L, i) != LUA_TUSERDATA || !types::hooks.push_cursor_name(L, i)) continue;
        lua_replace(L, i);
    }
}

// Makes the parameters of the values from idx on. Errors: lua.
void convert_params(lua_State *L, int idx, ParamArena *arena, Outgoing *outgoing) {
    const int n = outgoing->nparams;
    name_cursors(L, idx, n);
    session::Param *params = outgoing->params;
    const auto size = static_cast<size_t>(n);
    // Of each value its plan, its datum, and whether it is null.
    auto **plans = static_cast<const types::Type **>(
        lua_newuserdatauv(L, (sizeof(types::Type *) + sizeof(Datum) + sizeof(bool)) * size, 0));
    auto *values = reinterpret_cast<Datum *>(plans + n);
    bool *nulls = reinterpret_cast<bool *>(values + n);
    for (int i = 0; i < n; i++) {
        params[i] = {BYTEAOID, true, false, 0, lua_istable(L, idx + i)};
        if (params[i].table) continue;
        params[i].type = types::own_type(L, idx + i, &params[i].weak);
        // A string may be text or bytes; the place where it is used decides (pg/params.h).
        if (params[i].weak && params[i].type == TEXTOID) params[i].type = BYTEAOID;
    }
    pg::call_own_subxact(L, [&] {
        for (int i = 0; i < n; i++)
            plans[i] = params[i].table ? nullptr : types::lookup(params[i].type, -1);
    });
    convert_values(L, arena, idx, n, plans, values, nulls, outgoing->elsewhere);
    for (int i = 0; i < n; i++) {
        params[i].value = values[i];
        params[i].isnull = nulls[i];
    }
}

bool is_elsewhere(const SessionHandle *handle) {
    const session::Session *session = session::by_number(handle->number);
    return session != nullptr && session::is_elsewhere(session);
}

session::CommandId to_id(lua_State *L, int idx) {
    return static_cast<session::CommandId>(luaL_checkinteger(L, idx));
}

int push_id(lua_State *L, const session::Command *command) {
    if (command == nullptr) return 0;
    lua_pushinteger(L, static_cast<lua_Integer>(command->id));
    return 1;
}

// Waits for a command that nobody else can ask for and takes it. When the wait is broken off, the
// command is cancelled and forgotten. Errors: pg.
session::Command *finish_or_cancel(session::Session *session, session::CommandId id) {
    const session::WaitFor wait = {session, id};
    ErrorData *error = pg::attempt([&] { session::wait_any(&wait, 1, -1); });
    if (error == nullptr) return session::take_out(session, id);
    session::cancel_command(session, id);
    session::release(session, id);
    pg::rethrow(error);
}

// True when a wait for the command would end at once: it has settled, or is no more.
bool is_settled(session::Session *session, session::CommandId id) {
    if (session == nullptr) return true;
    if (id == session::kAnyNotification) return session::has_notification(session);
    const session::Command *command = session::command(session, id);
    return command == nullptr || command->state != session::CommandState::kPending;
}

// A timeout in seconds at idx as session::wait_any takes it: nil or none is no limit.
double timeout_at(lua_State *L, int idx) { return luaL_optnumber(L, idx, -1); }

int return_one(lua_State *, int, lua_KContext) { return 1; }

session::CommandId send(lua_State *L, SessionHandle *handle, Outgoing *outgoing, bool quiet) {
    session::CommandId id = 0;
    pg::call_own_subxact(L, [&] {
        session::Session *session = require_session(handle);
        id = session::send(session, outgoing->sql, outgoing->nparams, outgoing->params,
                           outgoing->statement, quiet);
    });
    handle->last = id;
    return id;
}

int send_collected(lua_State *L, bool quiet) {
    SessionHandle *handle = check_handle(L, 1);
    Outgoing outgoing;
    collect(L, 2, &outgoing);
    const session::CommandId id = send(L, handle, &outgoing, quiet);
    discard(L, &outgoing);
    lua_pushinteger(L, static_cast<lua_Integer>(id));
    return 1;
}

} // namespace

const char *statement_text(lua_State *L, int idx) {
    size_t length;
    const char *text = types::checked_string(L, idx, &length);
    if (length > MaxAllocSize / 2) lua::raise(L, "54000", "the statement is too long");
    return text;
}

void collect(lua_State *L, int idx, Outgoing *outgoing) {
    outgoing->statement = 0;
    outgoing->elsewhere = idx == 2 && is_elsewhere(check_handle(L, 1));
    const bool prepared = idx == 2 && collect_prepared(L, idx, outgoing);
    if (!prepared && lua_type(L, idx) != LUA_TSTRING)
        lua::raise(L, "22023", "the statement must be a string, not %s%s",
                   lua_isnoneornil(L, idx) ? "" : "a ",
                   lua_isnone(L, idx) ? "nil" : luaL_typename(L, idx));
    if (!prepared) outgoing->sql = statement_text(L, idx);
    outgoing->nparams = lua_gettop(L) - idx;
    outgoing->params = nullptr;
    outgoing->arena = 0;
    if (outgoing->nparams == 0) return;
    lua::need_stack(L, 8);
    outgoing->params = static_cast<session::Param *>(
        lua_newuserdatauv(L, sizeof(session::Param) * static_cast<size_t>(outgoing->nparams), 0));
    ParamArena *arena = take_arena(L);
    outgoing->arena = lua_gettop(L);
    convert_params(L, idx + 1, arena, outgoing);
}

void discard(lua_State *L, Outgoing *outgoing) {
    if (outgoing->arena != 0) return_arena(L, outgoing->arena);
    outgoing->arena = 0;
}

// exec(handle, sql, ...): the result of the command, or its error raised.
int bg_exec(lua_State *L) {
    SessionHandle *handle = check_handle(L, 1);
    if (push_cooperative_exec(L)) {
        lua_insert(L, 1);
        lua_callk(L, lua_gettop(L) - 1, 1, 0, return_one);
        return 1;
    }
    Outgoing outgoing;
    collect(L, 2, &outgoing);
    session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = require_session(handle);
        handle->last = session::send(session, outgoing.sql, outgoing.nparams, outgoing.params,
                                     outgoing.statement);
        command = finish_or_cancel(session, handle->last);
    });
    discard(L, &outgoing);
    const bool good = push_outcome(L, 1, command);
    deliver_notifications(L);
    if (!good) return lua_error(L);
    lua_pop(L, 1);
    return 1;
}

// send(handle, sql, ...): the number of the command.
int bg_send(lua_State *L) { return send_collected(L, false); }

// send_quiet(handle, sql, ...): the same; its rows are thrown away where they come from.
int bg_send_quiet(lua_State *L) { return send_collected(L, true); }

// post(handle, sql): runs without interest in the result. For cleanup: does nothing when the
// session has ended, and does not wait while an error of the server is pending.
int bg_post(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const char *sql = luaL_checkstring(L, 2);
    pg::call_no_subxact(L, [&] {
        session::Session *session = session::by_number(handle->number);
        if (session == nullptr || session::status(session).state == session::State::kGone) return;
        const session::WaitFor wait = {session, session::send_cleanup(session, sql)};
        if (pg::pending_error() == nullptr) (void)session::wait_any(&wait, 1, -1);
        session::release(session, wait.id);
    });
    return 0;
}

// wait_one(handle, id, timeout, seen): true when the command has settled, false after the timeout,
// nothing when arrived() is not `seen`.
int bg_wait_one(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::CommandId id = to_id(L, 2);
    const double timeout = timeout_at(L, 3);
    const auto seen = static_cast<uint64>(luaL_optinteger(L, 4, 0));
    const uint64 *limit = lua_isnoneornil(L, 4) ? nullptr : &seen;
    int index = 0;
    pg::call_own_subxact(L, [&] {
        const session::WaitFor wait = {open_session(handle), id};
        if (!is_settled(wait.session, id)) index = session::wait_any(&wait, 1, timeout, limit);
    });
    if (index == session::kNews) return 0;
    lua_pushboolean(L, index >= 0);
    return 1;
}

// wait_any(handles, ids, n, timeout, seen): the index of one that has settled; nil after the
// timeout; nil and true when arrived() is not `seen`. In the place of a number a stream waits for
// its next row; in the place of a handle stands what else can be waited for.
int bg_wait_any(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    const lua_Integer count = luaL_checkinteger(L, 3);
    luaL_argcheck(L, count >= 0 && count <= static_cast<lua_Integer>(lua_rawlen(L, 1)), 3,
                  "more waits than handles");
    const int n = static_cast<int>(count);
    const double timeout = timeout_at(L, 4);
    const auto seen = static_cast<uint64>(luaL_optinteger(L, 5, 0));
    const uint64 *limit = lua_isnoneornil(L, 5) ? nullptr : &seen;
    lua_settop(L, 5);
    session::WaitFor few[kFewWaits];
    session::WaitFor *waits = few;
    if (n > kFewWaits)
        waits = static_cast<session::WaitFor *>(
            lua_newuserdatauv(L, sizeof(session::WaitFor) * static_cast<size_t>(n), 0));
    auto **handles = static_cast<SessionHandle **>(
        lua_newuserdatauv(L, sizeof(SessionHandle *) * static_cast<size_t>(n + 1), 0));
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        waits[i] = {};
        waits[i].condition = test_condition(L, -1);
        handles[i] = waits[i].condition == nullptr ? check_handle(L, -1) : nullptr;
        lua_rawgeti(L, 2, i + 1); // the tables hold what is waited for
        if (handles[i] != nullptr && !describe_stream_wait(L, -1, &waits[i]))
            waits[i].id = to_id(L, -1);
        lua_pop(L, 2);
    }
    int index = session::kTimedOut;
    pg::call_own_subxact(L, [&] {
        for (int i = 0; i < n && index < 0; i++) {
            if (handles[i] == nullptr) continue;
            waits[i].session = open_session(handles[i]);
            if (!waits[i].rows && is_settled(waits[i].session, waits[i].id)) index = i;
            if (waits[i].session == nullptr) index = i;
        }
        if (index < 0) index = session::wait_any(waits, n, timeout, limit);
    });
    if (index >= 0) {
        lua_pushinteger(L, index + 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushboolean(L, index == session::kNews);
    return 2;
}

// state(handle, id): 'pending', 'complete', 'failed', or 'gone' when the session has ended or the
// command was fetched.
int bg_state(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::CommandId id = to_id(L, 2);
    const char *state = "gone";
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session == nullptr) return;
        session::receive(session);
        const session::Command *command = session::command(session, id);
        if (command == nullptr) return;
        state = command->state == session::CommandState::kPending    ? "pending"
                : command->state == session::CommandState::kComplete ? "complete"
                                                                     : "failed";
    });
    lua_pushstring(L, state);
    return 1;
}

// fetch(handle, id): true, the last result, and a list of all when there are several; false and the
// error; nothing when the session has ended or the command is no more. The command is forgotten.
int bg_fetch(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::CommandId id = to_id(L, 2);
    session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr && is_settled(session, id)) command = session::take_out(session, id);
    });
    if (command == nullptr) return 0;
    lua_settop(L, 1);
    const bool good = push_outcome(L, 1, command);
    lua_pushboolean(L, good);
    lua_insert(L, 2);
    return good ? 3 : 2;
}

int bg_newest(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr) command = session::newest_untaken(session);
    });
    return push_id(L, command);
}

int bg_oldest(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr) command = session::oldest_untaken(session);
    });
    return push_id(L, command);
}

// last(handle): the number of the newest command sent through this handle, or else of the newest
// nobody has fetched.
int bg_last(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    if (handle->last == 0) return bg_newest(L);
    lua_pushinteger(L, static_cast<lua_Integer>(handle->last));
    return 1;
}

// cancel_command(handle, id): cancels the command if it has not settled; true when there was
// something to cancel.
int bg_cancel_command(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::CommandId id = to_id(L, 2);
    bool pending = false;
    pg::call_no_subxact(L, [&] {
        session::Session *session = closable_session(handle);
        if (session == nullptr) return;
        session::receive(session);
        if (is_settled(session, id)) return;
        pending = true;
        session::cancel_command(session, id);
    });
    lua_pushboolean(L, pending);
    return 1;
}

// on_commit(sql, ...)
int bg_on_commit(lua_State *L) {
    Outgoing outgoing;
    collect(L, 1, &outgoing);
    pg::call(L, [&] { session::on_commit(outgoing.sql, outgoing.nparams, outgoing.params); });
    discard(L, &outgoing);
    return 0;
}

// forget(handle, id): cancels the command if it has not settled, and drops it with all it brings.
int bg_forget(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const session::CommandId id = to_id(L, 2);
    pg::call_no_subxact(L, [&] {
        session::Session *session = session::by_number(handle->number);
        if (session == nullptr) return;
        session::cancel_command(session, id);
        session::release(session, id);
    });
    return 0;
}

} // namespace pllua_bg::api
