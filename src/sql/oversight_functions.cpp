// What SQL can see of sessions, those of other backends too, and the signals it can send them.
// Owns nothing.
#include <cmath>

#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/wait.h"
#include "session/session.h"
#include "session/shared/session_slots.h"
#include "session/shared/statistics.h"
#include "sql/result.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
}

PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_sessions)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_other_sessions)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_stat)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_stat_reset)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_cancel)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_terminate)

namespace pllua_bg::sql {

namespace {

// How long a signal waits for a worker that is starting, in milliseconds.
constexpr int kMostWait = 1000;
constexpr int kOwn = -1;

// A row of bg.sessions being made. Trivial, lives in the frame of its maker.
struct Row {
    int encoding; // of its texts; kOwn: they are this backend's
    Datum values[15];
    bool nulls[15];
    int n;
};

void put(Row *row, Datum value, bool isnull = false) {
    row->values[row->n] = value;
    row->nulls[row->n++] = isnull;
}

// Null for no text, and for an empty one.
void put_text(Row *row, const char *text) {
    if (text == nullptr || *text == '\0') {
        put(row, 0, true);
        return;
    }
    const bool own = row->encoding == kOwn;
    put(row, CStringGetTextDatum(own ? pg::valid_text(text) : pg::text_from(text, row->encoding)));
}

// Databases share the names of databases and roles,
// which are in the encodings of those who gave them.
void put_database(Row *row, Oid database) {
    const char *name = get_database_name(database);
    const bool isnull = name == nullptr;
    put(row, isnull ? 0 : CStringGetTextDatum(pg::text_from(name, PG_SQL_ASCII)), isnull);
}

// The type of the column shows a name as it is.
void put_role(Row *row, Oid role) {
    const char *name = GetUserNameFromId(role, true);
    const bool isnull = name != nullptr && strcmp(pg::text_from(name, PG_SQL_ASCII), name) != 0;
    put(row, ObjectIdGetDatum(role), isnull);
}

void put_transaction(Row *row, char transaction) {
    const char text[2] = {transaction, '\0'};
    put_text(row, text);
}

void put_progress(Row *row, const session::Progress *progress) {
    const bool isnull = progress == nullptr;
    put(row, isnull ? 0 : Float8GetDatum(progress->done), isnull);
    const bool no_total = isnull || std::isnan(progress->total);
    put(row, no_total ? 0 : Float8GetDatum(progress->total), no_total);
    put_text(row, isnull ? nullptr : progress->message);
}

void put_session(session::Session *session, void *argument) {
    const auto *target = static_cast<const Target *>(argument);
    session::Status now = session::status(session);
    if (!has_privs_of_role(GetUserId(), now.user)) return;
    session::Progress progress;
    const bool reported = session::read_progress(session, &progress);
    Row row = {};
    row.encoding = kOwn;
    session::tell(session);
    put(&row, Int32GetDatum(now.pid), now.pid == 0);
    put_text(&row, now.name);
    put_role(&row, now.user);
    put_text(&row, session::state_name(now.state));
    put_transaction(&row, now.transaction);
    put(&row, Int32GetDatum(now.queued));
    put_text(&row, now.sql);
    put_text(&row, now.error);
    put(&row, Int32GetDatum(MyProcPid));
    put_database(&row, now.database);
    put_text(&row, now.server);
    put(&row, TimestampTzGetDatum(session::identity(session).launched_at));
    put_progress(&row, reported ? &progress : nullptr);
    tuplestore_putvalues(target->store, target->descriptor, row.values, row.nulls);
}

session::State state_of(const session::SlotEntry *entry) {
    const session::WorkerReport *report = &entry->report;
    if (!report->ready) return session::State::kStarting;
    return report->running != 0 || entry->sent > report->finished ? session::State::kBusy
                                                                  : session::State::kIdle;
}

// As pg_stat_activity does it: who it is, and for the role itself and those who may read everything
// what it does.
void put_other(const Target *target, const session::SlotEntry *entry) {
    const bool visible = has_privs_of_role(GetUserId(), entry->user) ||
                         has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
    const session::WorkerReport *report = &entry->report;
    const int64 queued = static_cast<int64>(entry->sent) - static_cast<int64>(report->finished);
    Row row = {};
    row.encoding = entry->encoding;
    put(&row, Int32GetDatum(entry->worker_pid), entry->worker_pid == 0);
    put_text(&row, visible ? NameStr(entry->name) : nullptr);
    put_role(&row, entry->user);
    put_text(&row, visible ? session::state_name(state_of(entry)) : nullptr);
    put_transaction(&row, visible ? report->transaction : '\0');
    put(&row, Int32GetDatum(static_cast<int>(Max(queued, 0))), !visible);
    put_text(&row, visible ? report->sql : "<insufficient privilege>");
    put_text(&row, visible ? report->error : nullptr);
    put(&row, Int32GetDatum(entry->launcher_pid));
    put_database(&row, entry->database);
    put_text(&row, visible ? NameStr(entry->server) : nullptr);
    put(&row, TimestampTzGetDatum(entry->launched_at), !visible);
    put_progress(&row, visible && report->has_progress ? &report->progress : nullptr);
    tuplestore_putvalues(target->store, target->descriptor, row.values, row.nulls);
}

bool is_session_worker(int pid) {
    const char *type = GetBackgroundWorkerTypeByPid(pid);
    return type != nullptr && strcmp(type, session::kWorkerType) == 0;
}

// True when the server can decide who may signal it:
// only superusers may signal what has no role yet.
bool can_be_signalled(int pid) {
    const PGPROC *proc = BackendPidGetProc(pid);
    return proc != nullptr && (OidIsValid(proc->roleId) || superuser());
}

// What has just been launched becomes a backend, which the server can signal, in some milliseconds;
// a job does when its transaction has committed. Errors: pg 55000, interrupts.
void await_backend(int pid) {
    const TimestampTz end = GetCurrentTimestamp() + kMostWait * INT64CONST(1000);
    while (!can_be_signalled(pid) && is_session_worker(pid)) {
        const long rest = pg::milliseconds_until(end);
        if (rest == 0)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("background session with PID %d has not started yet", pid)));
        (void)pg::wait_latch(Min(rest, 5), pg::WaitEvent::kStart);
    }
}

// Signals the worker of a session of another backend by the server's own function and rules.
void signal_other(int pid, Datum (*send)(FunctionCallInfo fcinfo)) {
    await_backend(pid);
    // The server's function would only warn.
    if (BackendPidGetProc(pid) == nullptr ||
        !DatumGetBool(DirectFunctionCall2(send, Int32GetDatum(pid), Int64GetDatum(0))))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("background session with PID %d has ended", pid)));
}

int pid_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("pid must not be null")));
    return PG_GETARG_INT32(0);
}

// The session of this backend with this pid; nullptr when it is one of another backend. Errors: pg
// 42501, 42704 (no session).
session::Session *own_or_other(int pid) {
    session::Session *session = session::find(pid);
    if (session != nullptr)
        session::check_owner(session);
    else if (!is_session_worker(pid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("PID %d is not a background session", pid)));
    return session;
}

// By `own` when it is a session of this backend, else by the server's function `other`.
void signal_session(int pid, void (*own)(session::Session *session),
                    Datum (*other)(FunctionCallInfo fcinfo)) {
    if (session::Session *session = own_or_other(pid))
        own(session);
    else
        signal_other(pid, other);
}

} // namespace

} // namespace pllua_bg::sql

using namespace pllua_bg;
using namespace pllua_bg::sql;

// The sessions of this backend.
Datum pllua_bg_sql_sessions(PG_FUNCTION_ARGS) {
    Target target = open_target(fcinfo);
    session::let_forgotten_go();
    session::for_each(put_session, &target);
    return 0;
}

// All others of the cluster, those that this backend has let go with work to do among them.
Datum pllua_bg_sql_other_sessions(PG_FUNCTION_ARGS) {
    Target target = open_target(fcinfo);
    auto *entry = static_cast<session::SlotEntry *>(palloc(sizeof(session::SlotEntry)));
    for (int i = 0; i < session::slot_count(); i++)
        if (session::read_entry(i, entry) &&
            !session::has_worker(entry->launcher_pid, entry->cookie))
            put_other(&target, entry);
    return 0;
}

Datum pllua_bg_sql_stat(PG_FUNCTION_ARGS) {
    Target target = open_target(fcinfo);
    session::settle_committers();
    const session::Counts counts = session::read_counts();
    Datum values[session::kCounters + 2];
    bool nulls[session::kCounters + 2] = {};
    int n = 0;
    values[n++] = CStringGetTextDatum(counts.shared ? "cluster" : "backend");
    for (int i = 0; i < session::kCounters; i++) {
        if (i == session::kCountersBeforeReset) values[n++] = TimestampTzGetDatum(counts.reset);
        values[n++] = Int64GetDatum(static_cast<int64>(counts.values[i]));
    }
    tuplestore_putvalues(target.store, target.descriptor, values, nulls);
    return 0;
}

Datum pllua_bg_sql_stat_reset(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    session::reset_counts();
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_cancel(PG_FUNCTION_ARGS) {
    signal_session(pid_argument(fcinfo), session::cancel, pg_cancel_backend);
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_terminate(PG_FUNCTION_ARGS) {
    signal_session(pid_argument(fcinfo), session::terminate, pg_terminate_backend);
    PG_RETURN_VOID();
}
