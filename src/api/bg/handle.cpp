// Primitives of bg that concern a session as a whole: launch, find, status, cancel, detach, close.
#include "api/bg/bg.h"

#include <cmath>

#include "jobs/jobs.h"
#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "types/helpers.h"

extern "C" {
#include "utils/acl.h"
#include "utils/guc.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kTold = 0; // registry key: table, number of a session -> handle

// A field of the options at index 1 as text; nullptr when absent. The text belongs to the options.
const char *text_field(lua_State *L, const char *name) {
    size_t length;
    const bool absent = lua_getfield(L, 1, name) == LUA_TNIL;
    const char *text = absent ? nullptr : types::checked_string(L, -1, &length);
    lua_pop(L, 1);
    return text;
}

double number_field(lua_State *L, const char *name, double absent) {
    lua_getfield(L, 1, name);
    const double number = luaL_optnumber(L, -1, absent);
    lua_pop(L, 1);
    return number;
}

// The texts of the sequence in a field, as an array that lives in a userdata pushed here.
const char **text_list(lua_State *L, const char *name, int *count) {
    lua_getfield(L, 1, name);
    *count = lua_istable(L, -1) ? static_cast<int>(lua_rawlen(L, -1)) : 0;
    auto **texts = static_cast<const char **>(
        lua_newuserdatauv(L, sizeof(char *) * static_cast<size_t>(*count + 1), 0));
    for (int i = 0; i < *count; i++) {
        lua_rawgeti(L, -2, i + 1);
        size_t length;
        texts[i] = types::checked_string(L, -1, &length);
        lua_pop(L, 1);
    }
    return texts;
}

// The size option: a number of bytes, or a text with a unit as settings have it. Errors: pg 22023.
Size parse_size(const char *text) {
    int bytes;
    const char *hint = nullptr;
    if (!parse_int(text, &bytes, GUC_UNIT_BYTE, &hint) || bytes <= 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for option queue_size: \"%s\"", text),
                        hint != nullptr ? errhint("%s", _(hint)) : 0));
    return static_cast<Size>(bytes);
}

void check_name(const session::LaunchOptions &options) {
    if (options.name != nullptr && strlen(options.name) >= NAMEDATALEN)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option name must have less than %d bytes", NAMEDATALEN)));
}

// Whose session it is to be: the scheduler of jobs may say so. Errors: pg 42501.
void check_user(const session::LaunchOptions &options) {
    if (OidIsValid(options.user) && !jobs::is_scheduler())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only the scheduler of jobs launches sessions of other users")));
}

// launch(options): a handle; nil with asks_again, when there is no room yet. The options have been
// checked in Lua.
int launch(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    session::LaunchOptions options;
    options.name = text_field(L, "name");
    options.wait = number_field(L, "wait", -1);
    options.waited = number_field(L, "waited", 0);
    options.asks_again = lua::is_true(L, 1, "asks_again");
    options.idle_timeout = static_cast<int>(number_field(L, "idle_timeout", 0));
    if (lua::is_true(L, 1, "cancel_on_exit")) options.on_exit = session::OnExit::kCancel;
    options.snapshot = lua::is_true(L, 1, "snapshot");
    options.server = text_field(L, "server");
    options.user = static_cast<Oid>(number_field(L, "user", InvalidOid));
    int values;
    options.setting_names = text_list(L, "names", &options.nsettings);
    options.setting_values = text_list(L, "values", &values);
    const char *size = text_field(L, "queue_size");
    const char *database = text_field(L, "database");
    SessionHandle *handle = push_handle(L, 0);
    lua_getfield(L, 1, "on_notice");
    lua_setiuservalue(L, -2, kHandleNotice);
    pg::call_own_subxact(L, [&] {
        check_name(options);
        check_user(options);
        if (database != nullptr) options.database = session::find_database(database);
        if (size != nullptr) options.queue_size = parse_size(size);
        const session::Session *started = session::launch(options);
        if (started != nullptr) handle->number = session::number(started);
    });
    return handle->number != 0 ? 1 : 0;
}

// find(pid): the number of the session, or nil.
int find(lua_State *L) {
    const lua_Integer pid = luaL_checkinteger(L, 1);
    session::Session *session = nullptr;
    if (pid > 0 && pid <= PG_INT32_MAX) {
        pg::call_own_subxact(L, [&] {
            session::let_forgotten_go();
            session = session::find(static_cast<int>(pid));
            if (session != nullptr) session::check_owner(session);
        });
    }
    if (session == nullptr) return 0;
    lua_pushinteger(L, static_cast<lua_Integer>(session::number(session)));
    return 1;
}

struct NumberList {
    uint64 *numbers;
    int count;
    int capacity;
};

void add_number(session::Session *session, void *argument) {
    auto *list = static_cast<NumberList *>(argument);
    if (!has_privs_of_role(GetUserId(), session::status(session).user)) return;
    session::tell(session);
    if (list->count < list->capacity) list->numbers[list->count] = session::number(session);
    list->count++;
}

// numbers(): the numbers of the sessions the current user may use.
int numbers(lua_State *L) {
    NumberList list = {nullptr, 0, 0};
    pg::call_own_subxact(L, [&] {
        session::let_forgotten_go();
        session::for_each(add_number, &list);
    });
    list.capacity = list.count;
    list.numbers = static_cast<uint64 *>(
        lua_newuserdatauv(L, sizeof(uint64) * static_cast<size_t>(list.capacity + 1), 0));
    list.count = 0;
    pg::call_own_subxact(L, [&] { session::for_each(add_number, &list); });
    lua_createtable(L, list.capacity, 0);
    for (int i = 0; i < Min(list.count, list.capacity); i++) {
        lua_pushinteger(L, static_cast<lua_Integer>(list.numbers[i]));
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

int number(lua_State *L) {
    lua_pushinteger(L, static_cast<lua_Integer>(check_handle(L, 1)->number));
    return 1;
}

int is_alive(lua_State *L) {
    lua_pushboolean(L, session::by_number(check_handle(L, 1)->number) != nullptr);
    return 1;
}

int pid(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    int pid = 0;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr) pid = session::pid(session);
    });
    if (pid == 0) return 0;
    lua_pushinteger(L, pid);
    return 1;
}

int name(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    const char *name = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr) name = session::status(session).name;
    });
    if (name == nullptr || *name == '\0') return 0;
    lua_pushstring(L, name);
    return 1;
}

// As set_text(), and an empty one is left out, too.
void set_known(lua_State *L, const char *key, const char *text) {
    if (text != nullptr && *text != '\0') lua::set_text(L, key, text);
}

// A number of Lua: an integer where it is one.
void set_amount(lua_State *L, const char *key, lua_Number amount) {
    lua_Integer whole;
    if (lua_numbertointeger(amount, &whole) && static_cast<lua_Number>(whole) == amount)
        lua_pushinteger(L, whole);
    else
        lua_pushnumber(L, amount);
    lua_setfield(L, -2, key);
}

void set_progress(lua_State *L, const session::Progress &progress) {
    lua_createtable(L, 0, 3);
    set_amount(L, "done", progress.done);
    if (!std::isnan(progress.total)) set_amount(L, "total", progress.total);
    set_known(L, "message", progress.message);
    lua_setfield(L, -2, "progress");
}

// status(handle): a table, also for a session that has ended.
int status(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    session::Status status = {};
    status.state = session::State::kGone;
    session::Progress progress;
    bool reported = false;
    pg::call_no_subxact(L, [&] {
        session::Session *session = session::by_number(handle->number);
        if (session == nullptr) return;
        status = session::status(session);
        reported = session::read_progress(session, &progress);
        if (status.pid != 0) session::tell(session);
    });
    lua_createtable(L, 0, 9);
    lua::set_text(L, "state", session::state_name(status.state));
    lua::set_integer(L, "queued", status.queued);
    if (status.pid != 0) lua::set_integer(L, "pid", status.pid);
    if (status.transaction != '\0') {
        const char transaction[2] = {status.transaction, '\0'};
        lua::set_text(L, "transaction", transaction);
    }
    set_known(L, "name", status.name);
    set_known(L, "sql", status.sql);
    set_known(L, "error", status.error);
    if (reported) set_progress(L, progress);
    return 1;
}

// Does something that ends or disturbs the session; true when there was one.
template <void (*Action)(session::Session *)> int act(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    bool found = false;
    pg::call_no_subxact(L, [&] {
        session::Session *session = closable_session(handle);
        if (session == nullptr) return;
        found = true;
        Action(session);
    });
    lua_pushboolean(L, found);
    return 1;
}

// The __close of a handle: as close, by the right of whoever launched the session.
int close_scope(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    pg::call_no_subxact(L, [&] {
        session::Session *session = session::by_number(handle->number);
        if (session != nullptr) session::close(session);
    });
    return 0;
}

// The collector's. A handle whose session can still be named by its pid is kept for who does so: it
// has the functions that take what comes. The shapes of its results were collected with it.
int collect_handle(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    if (!session::forget_handle(handle->number)) return 0;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, kHandleShapes);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kTold);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, static_cast<lua_Integer>(handle->number));
    return 0;
}

} // namespace

void open_handles(lua_State *L) {
    lua_createtable(L, 0, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kTold);
    lua_setfield(L, -2, "told_handles");
    lua::new_metatable(L, kSessionHandle);
    lua_pushcfunction(L, collect_handle);
    lua_setfield(L, -2, "__gc");
    lua_setfield(L, -2, "session_metatable");
}

SessionHandle *check_handle(lua_State *L, int idx) {
    return lua::check_userdata<SessionHandle>(L, idx, kSessionHandle);
}

SessionHandle *push_handle(lua_State *L, uint64 number) {
    SessionHandle *handle = lua::new_userdata<SessionHandle>(L, kSessionHandle, kHandleValues);
    handle->number = number;
    return handle;
}

session::Session *open_session(const SessionHandle *handle) {
    session::Session *session = session::by_number(handle->number);
    if (session != nullptr) session::check_owner(session);
    return session;
}

session::Session *closable_session(const SessionHandle *handle) {
    return pg::is_open() ? open_session(handle) : session::by_number(handle->number);
}

session::Session *require_session(const SessionHandle *handle) {
    session::Session *session = open_session(handle);
    if (session == nullptr)
        ereport(ERROR, (errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
                        errmsg("the background session has been closed or detached"),
                        session::may_be_discarded(handle->number)
                            ? errhint("DISCARD ALL, which connection poolers send, ends the "
                                      "sessions of the connection.")
                            : 0));
    return session;
}

// What lua/bg is built on; internal functions:
const luaL_Reg kSessionFunctions[] = {
    {"launch", launch},
    {"find", find},
    {"numbers", numbers},
    {"number", number},
    {"is_alive", is_alive},
    {"pid", pid},
    {"name", name},
    {"status", status},
    {"cancel", act<session::cancel>},
    {"detach", act<session::detach>},
    {"close", act<session::close>},
    {"terminate", act<session::terminate>},
    {"close_scope", close_scope},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
