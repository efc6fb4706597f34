// Running one command in a worker as a backend runs what a client sends: statements of a string in
// one implicit transaction block, parameters as in the extended protocol, logging, timeouts and
// activity reports included. Owns the transaction command that is open. The order of steps follows
// exec_simple_query and exec_bind_message in src/backend/tcop/postgres.c.
#include "session/worker/worker.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/params.h"
#include "pg/plans.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "access/xact.h"
#include "commands/async.h"
#include "nodes/plannodes.h"
#include "pgstat.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/portal.h"
#include "utils/ps_status.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

namespace pllua_bg::session {

namespace {

// A command on its way.
struct CommandRun {
    const CommandMessage *command;
    const char *sql;
    CachedPlanSource *prepared; // what runs; nullptr: the text
    List *statements;
    const char *name; // as what the log has it; nullptr: a text without parameters
    bool logged;
    bool usage;
};

void start_statement_timer() {
    if (StatementTimeout > 0) {
        if (!get_timeout_active(STATEMENT_TIMEOUT))
            enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
    } else if (get_timeout_active(STATEMENT_TIMEOUT)) {
        disable_timeout(STATEMENT_TIMEOUT, false);
    }
}

void stop_statement_timer() {
    if (get_timeout_active(STATEMENT_TIMEOUT)) disable_timeout(STATEMENT_TIMEOUT, false);
}

void begin_transaction_command() {
    if (!worker.in_command) StartTransactionCommand();
    worker.in_command = true;
    start_statement_timer();
}

bool is_statement_logged(const CommandRun *run) {
    if (log_statement == LOGSTMT_NONE) return false;
    ListCell *cell;
    bool wanted = log_statement == LOGSTMT_ALL;
    foreach (cell, run->statements)
        wanted = wanted || GetCommandLogLevel(static_cast<Node *>(lfirst(cell))) <= log_statement;
    return wanted;
}

// The parameters as a detail of what is logged. Needs a transaction when there are some.
int detail_params(ParamListInfo params) {
    if (params == nullptr || log_parameter_max_length == 0) return 0;
    return errdetail("parameters: %s",
                     BuildParamLogString(params, nullptr, log_parameter_max_length));
}

// What a client of the simple protocol sends is logged before it runs, at most once; what has
// parameters or is prepared when these are known, as the extended protocol does.
void log_statement_if_wanted(CommandRun *run, ParamListInfo params) {
    if (!is_statement_logged(run)) return;
    if (run->name == nullptr)
        ereport(LOG, (errmsg("statement: %s", run->sql), errhidestmt(true)));
    else
        ereport(LOG, (errmsg("execute %s: %s", run->name, run->sql), errhidestmt(true),
                      detail_params(params)));
    run->logged = true;
}

// `step`: "parse" or "execute", where the statement has a name.
void log_duration_if_wanted(const CommandRun *run, const char *step, ParamListInfo params) {
    char duration[32];
    switch (check_log_duration(duration, run->logged)) {
    case 1: ereport(LOG, (errmsg("duration: %s ms", duration), errhidestmt(true))); break;
    case 2:
        if (run->name == nullptr)
            ereport(LOG, (errmsg("duration: %s ms  statement: %s", duration, run->sql),
                          errhidestmt(true)));
        else
            ereport(LOG, (errmsg("duration: %s ms  %s %s: %s", duration, step, run->name, run->sql),
                          errhidestmt(true), detail_params(params)));
        break;
    }
    if (run->usage) ShowUsage("QUERY STATISTICS");
}

bool ends_transaction(const Node *statement) {
    if (!IsA(statement, TransactionStmt)) return false;
    switch (reinterpret_cast<const TransactionStmt *>(statement)->kind) {
    case TRANS_STMT_COMMIT:
    case TRANS_STMT_PREPARE:
    case TRANS_STMT_ROLLBACK:
    case TRANS_STMT_ROLLBACK_TO: return true;
    default: return false;
    }
}

bool is_commit(const Node *statement) {
    return IsA(statement, TransactionStmt) &&
           reinterpret_cast<const TransactionStmt *>(statement)->kind == TRANS_STMT_COMMIT;
}

void check_transaction_state(const CommandRun *run, const Node *statement) {
    if (!IsAbortedTransactionBlockState()) return;
    const bool ends = ends_transaction(statement) && run->command->nparams == 0;
    ErrorData *deadlock = worker.deadlock;
    worker.deadlock = nullptr;
    if (deadlock != nullptr && (!ends || is_commit(statement))) {
        // Nobody knows yet that the transaction was lost while it was idle. Who commits must not
        // believe it was kept; the transaction is over, as after any failed commit.
        if (ends) AbortOutOfAnyTransaction();
        pg::rethrow(deadlock);
    }
    pg::free_error(deadlock);
    if (ends) return;
    ereport(
        ERROR,
        (errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
         errmsg(
             "current transaction is aborted, commands ignored until end of transaction block")));
}

void refuse_unsupported(const Node *statement) {
    if (!IsA(statement, CopyStmt)) return;
    const auto *copy = reinterpret_cast<const CopyStmt *>(statement);
    if (copy->is_from && copy->filename == nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("COPY FROM STDIN is not possible in a background session"),
                        errhint("Use INSERT with parameters, or COPY from a file or program.")));
}

// A worker may listen because its loop serves notifications;
// the server leaves that to whoever can promise it.
bool run_listen(const Node *statement, QueryCompletion *completion) {
    if (!IsA(statement, ListenStmt)) return false;
    Async_Listen(reinterpret_cast<const ListenStmt *>(statement)->conditionname);
    SetQueryCompletion(completion, CMDTAG_LISTEN, 0);
    return true;
}

// Plans a statement and starts the portal that runs it.
Portal open_portal(const CommandRun *run, RawStmt *statement, CommandTag tag,
                   ParamListInfo *bound) {
    Portal portal;
    if (run->prepared == nullptr) {
        List *plans = plan_statement(run->command, statement, bound);
        portal = CreatePortal("", true, true);
        pg::define_portal(portal, run->sql, tag, plans, nullptr);
    } else {
        portal = CreatePortal("", true, true);
        const bool snapshot = push_snapshot_to_analyze(run->command, statement);
        CachedPlan *plan = plan_prepared(run->prepared, run->command, bound);
        pg::define_portal(portal, run->sql, tag, plan->stmt_list, plan);
        if (snapshot) PopActiveSnapshot();
    }
    portal->visible = false;
    PortalStart(portal, *bound, 0, InvalidSnapshot);
    return portal;
}

void run_portal(const CommandRun *run, Portal portal, QueryCompletion *completion) {
    DestReceiver *receiver = (run->command->flags & kQuiet) ? None_Receiver : make_row_receiver();
    MemoryContextSwitchTo(CurTransactionContext);
    pg::run_portal(portal, receiver, completion);
    receiver->rDestroy(receiver);
    PortalDrop(portal, false);
}

// Plans and runs a statement. Errors say with which parameters, if that is wanted.
void plan_and_run(CommandRun *run, RawStmt *statement, CommandTag tag,
                  QueryCompletion *completion) {
    static char unnamed[] = "";
    ParamsErrorCbData params = {unnamed, nullptr};
    ErrorContextCallback callback = {error_context_stack, ParamsErrorCallback, &params};
    error_context_stack = &callback;
    Portal portal = open_portal(run, statement, tag, &params.params);
    if (run->name != nullptr) log_statement_if_wanted(run, params.params);
    run_portal(run, portal, completion);
    error_context_stack = callback.previous;
    // The transaction is open yet, for the output functions.
    if (run->name != nullptr) log_duration_if_wanted(run, "execute", params.params);
}

// What follows a statement, before its tag is sent: errors of a commit belong to the statement.
void finish_statement(const CommandRun *run, const Node *statement, bool last) {
    if (last) {
        if (list_length(run->statements) > 1) EndImplicitTransactionBlock();
        end_transaction_command();
    } else if (IsA(statement, TransactionStmt)) {
        end_transaction_command();
    } else {
        CommandCounterIncrement();
        stop_statement_timer();
    }
}

void run_statement(CommandRun *run, RawStmt *statement, bool last) {
    QueryCompletion completion;
    InitializeQueryCompletion(&completion);
    pgstat_report_query_id(0, true);
    CommandTag tag = CreateCommandTag(statement->stmt);
    set_ps_display(GetCommandTagName(tag));
    check_transaction_state(run, statement->stmt);
    begin_transaction_command();
    if (list_length(run->statements) > 1) BeginImplicitTransactionBlock();
    CHECK_FOR_INTERRUPTS();
    refuse_unsupported(statement->stmt);
    if (pg::runs_without_locks(statement->stmt))
        release_busy_lock();
    else
        take_busy_lock();
    MemoryContext own = nullptr;
    if (last) {
        MemoryContextSwitchTo(MessageContext);
    } else {
        own = AllocSetContextCreate(MessageContext, "pllua_bg statement", ALLOCSET_DEFAULT_SIZES);
        MemoryContextSwitchTo(own);
    }
    if (!run_listen(statement->stmt, &completion)) plan_and_run(run, statement, tag, &completion);
    finish_statement(run, statement->stmt, last);
    send_tag(&completion);
    MemoryContextSwitchTo(MessageContext);
    if (own != nullptr) MemoryContextDelete(own);
}

// The statements of the text.
List *parse(const CommandMessage *command) {
    List *statements = pg_parse_query(command->sql);
    bool single = command->nparams > 0 || command->statement != 0;
    if (single && list_length(statements) > 1)
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                        errmsg("cannot insert multiple commands into a prepared statement")));
    return statements;
}

void prepare(const CommandRun *run) {
    if (run->statements == NIL)
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR), errmsg("there is no statement to be prepared")));
    auto *statement = static_cast<RawStmt *>(linitial(run->statements));
    check_transaction_state(run, statement->stmt);
    refuse_unsupported(statement->stmt);
    keep_statement(run->command, statement);
}

// What the log calls the statement: those with parameters are as those of the extended protocol.
const char *name_in_log(const CommandMessage *command) {
    if (command->statement != 0) return psprintf("bg_%u", command->statement);
    return command->nparams > 0 ? "<unnamed>" : nullptr;
}

} // namespace

void end_transaction_command() {
    stop_statement_timer();
    if (!worker.in_command) return;
    CommitTransactionCommand();
    worker.in_command = false;
}

void show_command(const CommandMessage *command, const char *sql) {
    debug_query_string = sql;
    SetCurrentStatementStartTimestamp();
    pgstat_report_activity(STATE_RUNNING, sql);
    show_running(command->id, sql);
}

void execute_command(const CommandMessage *command) {
    CommandRun run = {command, command->sql,       nullptr, NIL, name_in_log(command),
                      false,   log_statement_stats};
    const bool prepares = (command->flags & kPrepare) != 0;
    if (command->statement != 0 && !prepares) {
        run.prepared = prepared_statement(command->statement);
        run.sql = run.prepared->query_string;
    }
    show_command(command, run.sql);
    if (run.usage) ResetUsage();
    begin_transaction_command();
    MemoryContextSwitchTo(MessageContext);
    pg::refresh_plans();
    run.statements =
        run.prepared == nullptr ? parse(command) : list_make1(run.prepared->raw_parse_tree);
    if (prepares) {
        prepare(&run);
    } else {
        if (run.name == nullptr) log_statement_if_wanted(&run, nullptr);
        int count = list_length(run.statements);
        for (int i = 0; i < count; i++)
            run_statement(&run, static_cast<RawStmt *>(list_nth(run.statements, i)),
                          i + 1 == count);
    }
    end_transaction_command();
    if (prepares || run.name == nullptr) log_duration_if_wanted(&run, "parse", nullptr);
    debug_query_string = nullptr;
}

} // namespace pllua_bg::session
