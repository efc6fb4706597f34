// One job in one transaction: its statement as the role that has submitted it, then, as the owner
// of the tables, what has become of it. See current.h for the contracts. Owns nothing.
#include "jobs/args.h"
#include "jobs/current.h"
#include "jobs/execute.h"
#include "jobs/first_row.h"
#include "jobs/job_row.h"
#include "jobs/jobs.h"
#include "jobs/option_values.h"
#include "jobs/tables.h"
#include "pg/fault.h"
#include "pg/settings.h"

extern "C" {
#include "utils/guc.h"
#include "utils/timeout.h"
}

namespace pllua_bg::jobs {

namespace {

// A row of the history: the columns of bg.job are the first that bg.job_done has.
#define OF_JOB "id operator(pg_catalog.=) $1 and attempt operator(pg_catalog.=) $2"
#define INTO_HISTORY "insert into bg.job_done select g.*, $3, $4, $5, $6, $7, $8, $9 from "

constexpr int kHistoryParams = 9;

OwnStatement end_kept = {"with gone as (delete from bg.job where " OF_JOB
                         " returning *) " INTO_HISTORY "gone g",
                         kHistoryParams,
                         {INT8OID, INT2OID, INT2OID, CHAROID, TIMESTAMPTZOID, TIMESTAMPTZOID,
                          INT4OID, JSONBOID, TEXTOID},
                         nullptr};

// Of a job that recurs: this run.
OwnStatement keep_run = {INTO_HISTORY "bg.job g where " OF_JOB,
                         kHistoryParams,
                         {INT8OID, INT2OID, INT2OID, CHAROID, TIMESTAMPTZOID, TIMESTAMPTZOID,
                          INT4OID, JSONBOID, TEXTOID},
                         nullptr};

OwnStatement end_forgotten = {"delete from bg.job where " OF_JOB, 2, {INT8OID, INT2OID}, nullptr};

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
void expect_one(uint64 count, int64 id) {
    if (count == 1) return;
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("job " INT64_FORMAT " has ended meanwhile", id),
                    errdetail("What this run has done is undone.")));
}

struct Outcome {
    TimestampTz started_at;
    Jsonb *result;
    const char *note;
    char state;
};

void keep_outcome(OwnStatement *statement, const JobRow *row, const Outcome *outcome) {
    Datum values[] = {Int64GetDatum(row->id),
                      Int16GetDatum(row->attempt),
                      Int16GetDatum(row->slot),
                      CharGetDatum(outcome->state),
                      TimestampTzGetDatum(outcome->started_at),
                      TimestampTzGetDatum(GetCurrentTimestamp()),
                      Int32GetDatum(MyProcPid),
                      PointerGetDatum(outcome->result),
                      outcome->note == nullptr ? 0 : CStringGetTextDatum(outcome->note)};
    char nulls[] = "         ";
    if (outcome->result == nullptr) nulls[7] = 'n';
    if (outcome->note == nullptr) nulls[8] = 'n';
    expect_one(run_as_owner(statement, values, nulls), row->id);
}

void set_time(OwnStatement *statement, const JobRow *row, TimestampTz at) {
    Datum values[] = {Int64GetDatum(row->id), Int16GetDatum(row->attempt), TimestampTzGetDatum(at)};
    expect_one(run_as_owner(statement, values, nullptr), row->id);
}

void forget(const JobRow *row) {
    Datum values[] = {Int64GetDatum(row->id), Int16GetDatum(row->attempt)};
    expect_one(run_as_owner(&end_forgotten, values, nullptr), row->id);
}

const char *complete(const JobRow *row, Outcome *outcome, const TimestampTz *next_at) {
    pg::fault("job-complete");
    if (current_job.discard != nullptr) {
        *outcome = {outcome->started_at, nullptr, current_job.discard, 'x'};
        keep_outcome(&end_kept, row, outcome);
        return "discarded";
    }
    if (current_job.snooze_until != 0) {
        set_time(&set_snoozed, row, current_job.snooze_until);
        constexpr int64 kEpochs = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
        return psprintf("snoozed %.6f",
                        static_cast<double>(current_job.snooze_until) / USECS_PER_SEC +
                            static_cast<double>(kEpochs));
    }
    if (next_at != nullptr) {
        if (row->keeps_done) keep_outcome(&keep_run, row, outcome);
        set_time(&set_next, row, *next_at);
    } else if (row->keeps_done) {
        keep_outcome(&end_kept, row, outcome);
    } else {
        forget(row);
    }
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
    execute_job(row->sql, row->args, first);
    const char *commit = pstrdup(GetConfigOption("synchronous_commit", false, false));
    AtEOXact_GUC(false, level);
    set_commit(commit);
}

void forget_current(void *) { current_job = {}; }

} // namespace

const char *run_job(int64 id, int attempt, const TimestampTz *next_at) {
    check_scheduler();
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
