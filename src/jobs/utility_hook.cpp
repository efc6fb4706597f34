// Commands of SQL that the scheduler of a database is in the way of, or has to learn of: those that
// want a database for themselves, DROP EXTENSION, COMMIT PREPARED, subscriptions. Owns the hook.
#include "jobs/area.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/statement_options.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "storage/procarray.h"
#include "tcop/utility.h"
}

namespace pllua_bg::jobs {

namespace {

ProcessUtility_hook_type next_utility;

// What the hook is called with.
struct Utility {
    PlannedStmt *statement;
    const char *sql;
    bool read_only_tree;
    ProcessUtilityContext context;
    ParamListInfo params;
    QueryEnvironment *environment;
    DestReceiver *receiver;
    QueryCompletion *completion;
};

void go_on(const Utility &utility) {
    const ProcessUtility_hook_type next =
        next_utility == nullptr ? standard_ProcessUtility : next_utility;
    next(utility.statement, utility.sql, utility.read_only_tree, utility.context, utility.params,
         utility.environment, utility.receiver, utility.completion);
}

// A command that wants a database for itself.
struct Wish {
    const char *database; // nullptr: the command is none
    bool copies;          // it is the template of a new one
    bool force;           // whoever is in it is to go
};

Wish wish_of(Node *command) {
    switch (nodeTag(command)) {
    case T_DropdbStmt: {
        auto *drop = reinterpret_cast<DropdbStmt *>(command);
        return {drop->dbname, false, drop->options != NIL};
    }
    case T_RenameStmt: {
        auto *rename = reinterpret_cast<RenameStmt *>(command);
        if (rename->renameType != OBJECT_DATABASE) return {};
        return {rename->subname, false, false};
    }
    case T_AlterDatabaseStmt: {
        auto *alter = reinterpret_cast<AlterDatabaseStmt *>(command);
        if (pg::text_option(alter->options, "tablespace", nullptr) == nullptr) return {};
        return {alter->dbname, false, false};
    }
    case T_CreatedbStmt: {
        auto *create = reinterpret_cast<CreatedbStmt *>(command);
        return {pg::text_option(create->options, "template", "template1"), true, false};
    }
    default: return {};
    }
}

bool may_create_database() {
    if (superuser()) return true;
    HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
    if (!HeapTupleIsValid(role)) return false;
    const bool may = reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcreatedb;
    ReleaseSysCache(role);
    return may;
}

// As the server will find: who may not do it disturbs nobody.
bool may_have(const Wish &wish, Oid database) {
    if (!wish.copies || !may_create_database()) return pg::owns_database(database, GetUserId());
    HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(row)) return false;
    const bool is_template = reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->datistemplate;
    ReleaseSysCache(row);
    return is_template || pg::owns_database(database, GetUserId());
}

// The sessions of the scheduler there are, or, if `busy`, only those that do something, which is
// not to be broken off: their processes, each 0 where none has started yet.
List *sessions_of(Oid database, int scheduler_pid, bool busy) {
    List *pids = NIL;
    for (int i = 0; i < session::slot_count(); i++) {
        session::SlotEntry entry;
        if (session::read_entry(i, &entry) && entry.database == database &&
            entry.launcher_pid == scheduler_pid && (!busy || entry.report.running != 0))
            pids = lappend_int(pids, entry.worker_pid);
    }
    return pids;
}

bool is_one_left(const List *pids) {
    ListCell *cell;
    foreach (cell, pids)
        if (BackendPidGetProc(lfirst_int(cell)) != nullptr) return true;
    return false;
}

// Who is asked to leave a database.
struct Leaving {
    Ring *ring; // nullptr: nobody
    int scheduler_pid;
    List *pids; // the scheduler, and its sessions before it was asked
};

// Whoever owns a database may not end processes of others in it, not even by force. A session is
// out of the table before the server has forgotten its process.
void await_leave(Oid database, Leaving *leaving) {
    constexpr int kMostTries = 500;
    constexpr long kPause = 10; // milliseconds
    for (int i = 0; i < kMostTries; i++) {
        List *sessions = sessions_of(database, leaving->scheduler_pid, false);
        leaving->pids = list_concat_unique_int(leaving->pids, sessions);
        if (sessions == NIL && !is_one_left(leaving->pids)) return;
        (void)pg::wait_latch(kPause, pg::WaitEvent::kJobs);
    }
}

// Asks the scheduler of the database to leave, and nobody to take its place for a while. The server
// then waits for it to be gone, but where it is to use force.
Leaving ask_to_leave(const Wish &wish) {
    constexpr int64 kWhile = 10 * INT64CONST(1000000);
    const Oid database = get_database_oid(wish.database, true);
    if (!OidIsValid(database) || !may_have(wish, database)) return {};
    Ring *ring = ring_of(database, false);
    if (ring == nullptr) return {};
    const int pid = ring->scheduler_pid;
    if (pid == 0 || (!wish.force && sessions_of(database, pid, true) != NIL)) return {};
    List *pids = lcons_int(pid, sessions_of(database, pid, false));
    const TimestampTz until = GetCurrentTimestamp() + kWhile;
    SpinLockAcquire(&ring->mutex);
    const bool ask = ring->database == database && ring->scheduler_pid == pid;
    if (ask) {
        ring->leaving = true;
        ring->away = until;
    }
    const int number = ring->scheduler_number;
    SpinLockRelease(&ring->mutex);
    if (!ask) return {};
    wake(number);
    return {ring, pid, pids};
}

// The command is done, or has failed: where there is still a database it may be scheduled again.
void let_return(Ring *ring) {
    SpinLockAcquire(&ring->mutex);
    ring->leaving = false;
    ring->away = 0;
    SpinLockRelease(&ring->mutex);
    wake_launcher();
}

void have_database(const Utility &utility, const Wish &wish) {
    Leaving leaving = ask_to_leave(wish);
    if (leaving.ring == nullptr) {
        go_on(utility);
        return;
    }
    const Oid database = leaving.ring->database;
    ErrorData *error = pg::attempt([&utility, &wish, &leaving, database] {
        if (wish.force) await_leave(database, &leaving);
        go_on(utility);
    });
    let_return(leaving.ring);
    if (error != nullptr) pg::rethrow(error);
}

bool is_scheduled_here() {
    const Ring *ring = ring_of(MyDatabaseId, false);
    return ring != nullptr && ring->scheduler_pid != 0;
}

void after(Node *command) {
    switch (nodeTag(command)) {
    case T_AlterDatabaseStmt: announce_probe(); break; // it may take connections now
    case T_AlterExtensionStmt:                         // it may be of the right version now
        if (strcmp(reinterpret_cast<AlterExtensionStmt *>(command)->extname, kExtension) == 0)
            announce_rescan();
        break;
    case T_CreateSubscriptionStmt:
    case T_AlterSubscriptionStmt: note_subscription(); break;
    case T_DropStmt: {
        const ObjectType what = reinterpret_cast<DropStmt *>(command)->removeType;
        if (what == OBJECT_EXTENSION && is_scheduled_here()) announce_rescan();
        break;
    }
    case T_TransactionStmt: {
        const auto *statement = reinterpret_cast<TransactionStmt *>(command);
        if (statement->kind == TRANS_STMT_COMMIT_PREPARED && is_scheduled_here())
            publish(MyDatabaseId, {nullptr, 0, kAll});
        break;
    }
    default: break;
    }
}

void process_utility(PlannedStmt *statement, const char *sql, bool read_only_tree,
                     ProcessUtilityContext context, ParamListInfo params,
                     QueryEnvironment *environment, DestReceiver *receiver,
                     QueryCompletion *completion) {
    const Utility utility = {statement, sql,         read_only_tree, context,
                             params,    environment, receiver,       completion};
    Node *command = statement->utilityStmt;
    const Wish wish = area == nullptr ? Wish{} : wish_of(command);
    if (wish.database != nullptr)
        have_database(utility, wish);
    else
        go_on(utility);
    if (area != nullptr) after(command);
}

} // namespace

void initialize_utility_hook() {
    if (!process_shared_preload_libraries_in_progress || !pg::setting_jobs) return;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace pllua_bg::jobs
