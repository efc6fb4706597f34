// The process that schedules the jobs of one database: from its start to the procedure that is
// Lua code (lua/bg/jobs), and its end. Owns the portal that procedure runs in.
//
// It is the bootstrap superuser, so nothing in it may be code of others: the procedure has to
// belong to the extension, settings of the database count for nothing, and the policy keeps to
// types of the server.
#include "jobs/area.h"

#include <signal.h>

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/wait.h"

extern "C" {
#include "access/xact.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/dest.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
}

extern "C" PLLUA_BG_EXPORT void pllua_bg_scheduler_main(Datum database);

namespace pllua_bg::jobs {

namespace {

constexpr char kCall[] = "CALL bg.run_scheduler()";

// The launcher looks whether the database has jobs at all.
bool is_probe() { return MyBgworkerEntry->bgw_extra[0] != 0; }

void connect(Oid database) {
    remember_settings();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    StartTransactionCommand();
    settle_settings();
    CommitTransactionCommand();
    pg::name_wait_events();
}

bool look_for_extension() {
    StartTransactionCommand();
    const bool found = has_extension();
    CommitTransactionCommand();
    return found;
}

// Without the extension nothing is announced; what was announced before it went means nothing.
// False when there is none, and somebody else is the scheduler when there is one. Errors: pg.
bool await_extension() {
    do {
        drop_news();
        if (look_for_extension()) return true;
    } while (!leave_if_silent());
    return false;
}

// A database with the extension has a scheduler from here on, so that one that fails to look is
// followed by another one.
bool has_something() {
    StartTransactionCommand();
    check_version();
    const bool found = !is_probe() || has_jobs() || has_prepared_transactions();
    CommitTransactionCommand();
    return found || !leave_if_silent();
}

// False when there is nothing to schedule, or somebody else does. Errors: pg.
bool begin() {
    if (is_probe() && !look_for_extension()) return false;
    return become_scheduler() && await_extension() && has_something();
}

List *plan(const char *sql) {
    List *statements = pg_parse_query(sql);
    auto *statement = linitial_node(RawStmt, statements);
    PushActiveSnapshot(GetTransactionSnapshot());
    List *queries = pg_analyze_and_rewrite_fixedparams(statement, sql, nullptr, 0, nullptr);
    List *plans = pg_plan_queries(queries, sql, CURSOR_OPT_PARALLEL_OK, nullptr);
    PopActiveSnapshot();
    return plans;
}

// As a client's statement, so that the procedure may commit.
void call_procedure() {
    MemoryContext statement =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg scheduler", ALLOCSET_DEFAULT_SIZES);
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    MemoryContext old = MemoryContextSwitchTo(statement);
    List *plans = plan(kCall);
    Portal portal = CreatePortal("", true, true);
    portal->visible = false;
    pg::define_portal(portal, kCall, CMDTAG_CALL, plans, nullptr);
    PortalStart(portal, nullptr, 0, InvalidSnapshot);
    QueryCompletion completion;
    pg::run_portal(portal, None_Receiver, &completion);
    PortalDrop(portal, false);
    MemoryContextSwitchTo(old);
    CommitTransactionCommand();
}

// What it has failed of may be no failure: then the process ends quietly. Errors: pg, the error.
void end_after(ErrorData *error) {
    AbortCurrentTransaction();
    if (is_asked_to_leave()) {
        pg::free_error(error);
        resign(End::kAsked);
    } else if (!is_scheduler() || await_extension()) {
        resign(End::kFailed);
        pg::rethrow(error);
    } else {
        pg::free_error(error);
    }
}

void schedule() {
    if (!begin()) return;
    pg::fault("jobs-scheduler-call");
    call_procedure();
    // It has retired; or it has ended by itself, and another one is to look whether that was right.
    resign(End::kFailed);
}

void run(Oid database) {
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    if (area == nullptr) return;
    pg::fault("jobs-scheduler-start");
    connect(database);
    ErrorData *error = pg::attempt(schedule);
    if (error != nullptr) end_after(error);
}

} // namespace

} // namespace pllua_bg::jobs

void pllua_bg_scheduler_main(Datum database) { pllua_bg::jobs::run(DatumGetObjectId(database)); }
