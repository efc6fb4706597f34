// One job in one transaction: its statement as the role that has submitted it, then, as the owner
// of the tables, what has become of it. See current.h for the contracts. Owns nothing.
#include "jobs/args.h"
#include "jobs/current.h"
#include "jobs/execute.h"
#include "jobs/first_row.h"
#include "jobs/job_row.h"
#include "jobs/jobs.h"
#include "jobs/option_values.h"
#include "jobs/rows.h"
#include "jobs/tables.h"
#include "pg/fault.h"
#include "pg/settings.h"

extern "C" {
#include "utils/guc.h"
#include "utils/timeout.h"
}

namespace pllua_bg::jobs {

namespace {

#define OF_JOB "id operator(pg_catalog.=) $1 and attempt operator(pg_catalog.=) $2"

OwnStatement set_next = {
    "update bg.job set run_at = $3, attempt = 0, crashes = 0, snoozed = 0, errors = null "
    "where " OF_JOB,
    3,
    {INT8OID, INT2OID, TIMESTAMPTZOID},
    nullptr};

OwnStatement set_snoozed = {
    "update bg.job set run_at = $3, snoozed = case when snoozed operator(pg_catalog.<) 32767 "
    "then snoozed operator(pg_catalog.+) 1::pg_catalog.int2 else snoozed end "
    "where " OF_JOB,
    3,
    {INT8OID, INT2OID, TIMESTAMPTZOID},
    nullptr};

// That no second run can have had an effect. All is rolled back then.
void expect(bool found, int64 id) {
    if (found) return;
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("job " INT64_FORMAT " has ended meanwhile", id),
                    errdetail("What this run has done is undone.")));
}

// kept: what the history gets; nullptr: nothing.
void end(const JobRow *row, bool stays, const Outcome *kept) {
    expect(end_row(row->id, row->attempt, stays, kept), row->id);
}

void set_time(OwnStatement *statement, const JobRow *row, TimestampTz at) {
    Datum values[] = {Int64GetDatum(row->id), Int16GetDatum(row->attempt), TimestampTzGetDatum(at)};
    expect(run_as_owner(statement, values, nullptr) == 1, row->id);
}

const char *complete(const JobRow *row, Outcome *outcome, const TimestampTz *next_at) {
    pg::fault("job-complete");
    if (current_job.discard != nullptr) {
        *outcome = {outcome->started_at, nullptr, current_job.discard, 'x'};
        end(row, false, outcome);
        return "discarded";
    }
    if (current_job.snooze_until != 0) {
        set_time(&set_snoozed, row, current_job.snooze_until);
        constexpr int64 kEpochs = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
        return psprintf("snoozed %.6f",
                        static_cast<double>(current_job.snooze_until) / USECS_PER_SEC +
                            static_cast<double>(kEpochs));
    }
    const Outcome *kept = row->keeps_done ? outcome : nullptr;
    if (next_at == nullptr || kept != nullptr) end(row, next_at != nullptr, kept);
    if (next_at != nullptr) set_time(&set_next, row, *next_at);
    return "done";
}

void start_timer(int milliseconds) {
    if (milliseconds <= 0) return;
    if (get_timeout_active(STATEMENT_TIMEOUT)) disable_timeout(STATEMENT_TIMEOUT, false);
    enable_timeout_after(STATEMENT_TIMEOUT, milliseconds);
}

void check_scheduler() {
    if (!is_launched_by_scheduler())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only the scheduler of jobs runs a job"),
                        errhint("bg.run_job_now(id) makes it run at once.")));
    if (current_job.id != 0 && current_job.transaction)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("a job cannot run another one"),
                 errhint("bg.submit gives it to the queue.")));
}

// How this transaction commits.
void set_commit(const char *value) {
    (void)set_config_option("synchronous_commit", value, PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, ERROR, false);
}

// What a run changes of settings ends with it, be it by SET; but for how its transaction commits.
void run_statement(const JobRow *row, FirstRow *first) {
    const int level = NewGUCNestLevel();
    apply_settings(row, set_for_now);
    start_timer(row->timeout);
    execute_job(row->sql, row->args, row->settings == nullptr, first);
    const char *commit = pstrdup(GetConfigOption("synchronous_commit", false, false));
    AtEOXact_GUC(false, level);
    set_commit(commit);
}

void forget_current(void *) { current_job = {}; }

} // namespace

const char *run_job(int64 id, int attempt, const TimestampTz *next_at) {
    check_scheduler();
    if (next_at != nullptr && TIMESTAMP_NOT_FINITE(*next_at))
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                        errmsg("the next time of a job must be finite")));
    if (pg::setting_job_commit == pg::kAsyncCommit) set_commit("off");
    SPI_connect();
    JobRow row;
    const char *result = "gone";
    Outcome outcome = {GetCurrentTimestamp(), nullptr, nullptr, 'd'};
    if (read_job(id, attempt, &row)) {
        // Freed with the memory of this function, when it ends in whatever way.
        static MemoryContextCallback callback;
        callback = {forget_current, nullptr, nullptr};
        MemoryContextRegisterResetCallback(CurrentMemoryContext, &callback);
        current_job = {id, attempt, true, 0, nullptr};
        session::set_title(psprintf("job " INT64_FORMAT, id));
        FirstRow first;
        init_first_row(&first);
        run_statement(&row, &first);
        outcome.result = row.keeps_done ? row_as_json(&first, &outcome.note) : nullptr;
        result = MemoryContextStrdup(TopTransactionContext, complete(&row, &outcome, next_at));
    }
    SPI_finish();
    return result;
}

const char *begin_outside(int64 id, int attempt) {
    check_scheduler();
    SPI_connect();
    JobRow row;
    const bool found = read_job(id, attempt, &row);
    if (found) {
        session::set_title(psprintf("job " INT64_FORMAT, id));
        apply_settings(&row, set_for_session);
        current_job = {id, attempt, false, 0, nullptr};
        if (row.timeout > 0) set_for_session("statement_timeout", psprintf("%d", row.timeout));
    }
    SPI_finish();
    return found ? nullptr : "gone";
}

} // namespace pllua_bg::jobs
