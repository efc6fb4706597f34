// Jobs in SQL: the functions of extension pllua_bg_jobs in schema bg. Owns nothing.
#include "jobs/args.h"
#include "jobs/current.h"
#include "jobs/orders.h"
#include "jobs/submit.h"
#include "jobs/tables.h"
#include "sql/arguments.h"

extern "C" {
#include "utils/datum.h"
#include "utils/timestamp.h"
}

PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_submit)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_run_job)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_name_job)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_cancel_job)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_retry_job)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_run_job_now)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_wait_job)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_job_result)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_jobs_at_home)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_jobs_adopt)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_jobs_pause)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_jobs_resume)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_queue)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_self)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_cancelled)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_snooze)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_discard)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_find_step)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_keep_step)

using namespace pllua_bg;
using namespace pllua_bg::sql;

namespace {

Jsonb *json_argument(FunctionCallInfo fcinfo, int number) {
    return PG_ARGISNULL(number) ? nullptr : PG_GETARG_JSONB_P(number);
}

int64 job_argument(FunctionCallInfo fcinfo) {
    require(fcinfo, 0, "id");
    return PG_GETARG_INT64(0);
}

Datum give(FunctionCallInfo fcinfo, jobs::Order order) {
    PG_RETURN_BOOL(jobs::give_order(job_argument(fcinfo), order));
}

} // namespace

// submit(sql, args, options) -> id
Datum pllua_bg_sql_submit(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "sql");
    PG_RETURN_INT64(
        jobs::submit(text_argument(fcinfo, 0), json_argument(fcinfo, 1), json_argument(fcinfo, 2)));
}

// run_job(id, attempt, next_at) -> what has become of it
Datum pllua_bg_sql_run_job(PG_FUNCTION_ARGS) {
    require(fcinfo, 1, "attempt");
    TimestampTz next_at = 0;
    if (!PG_ARGISNULL(2)) next_at = PG_GETARG_TIMESTAMPTZ(2);
    const char *outcome = jobs::run_job(job_argument(fcinfo), PG_GETARG_INT32(1),
                                        PG_ARGISNULL(2) ? nullptr : &next_at);
    PG_RETURN_TEXT_P(cstring_to_text(outcome));
}

// name_job(id, attempt) -> 'gone', or null: the next command is the job
Datum pllua_bg_sql_name_job(PG_FUNCTION_ARGS) {
    require(fcinfo, 1, "attempt");
    const char *outcome = jobs::begin_outside(job_argument(fcinfo), PG_GETARG_INT32(1));
    if (outcome == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(outcome));
}

Datum pllua_bg_sql_cancel_job(PG_FUNCTION_ARGS) { return give(fcinfo, jobs::Order::kCancel); }

Datum pllua_bg_sql_retry_job(PG_FUNCTION_ARGS) { return give(fcinfo, jobs::Order::kRetry); }

Datum pllua_bg_sql_run_job_now(PG_FUNCTION_ARGS) { return give(fcinfo, jobs::Order::kRun); }

// wait_job(id, timeout in seconds) -> its state
Datum pllua_bg_sql_wait_job(PG_FUNCTION_ARGS) {
    const int64 id = job_argument(fcinfo);
    const char state = jobs::wait_for_job(id, timeout_argument(fcinfo, 1, "timeout"));
    if (state == '\0') PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(jobs::state_word(state)));
}

// job_result(id) -> what it has returned
Datum pllua_bg_sql_job_result(PG_FUNCTION_ARGS) {
    const int64 id = job_argument(fcinfo);
    MemoryContext memory = CurrentMemoryContext;
    SPI_connect();
    jobs::Ending ending;
    jobs::look_at_job(id, &ending);
    if (ending.living)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("job " INT64_FORMAT " has not ended", id),
                        errhint("bg.wait_job(id) waits for its end.")));
    if (ending.state == 'f') jobs::raise_job_error(id, ending.error);
    if (ending.state == 'c')
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
                        errmsg("job " INT64_FORMAT " was cancelled", id)));
    Datum result = 0;
    if (ending.result != nullptr) {
        MemoryContextSwitchTo(memory);
        result = datumCopy(PointerGetDatum(ending.result), false, -1);
    }
    SPI_finish();
    if (result == 0) PG_RETURN_NULL();
    return result;
}

Datum pllua_bg_sql_jobs_at_home(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_BOOL(jobs::is_at_home());
}

Datum pllua_bg_sql_jobs_adopt(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    jobs::adopt();
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_jobs_pause(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    jobs::pause(true);
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_jobs_resume(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    jobs::pause(false);
    PG_RETURN_VOID();
}

// queue(name, workers, paused, keep)
Datum pllua_bg_sql_queue(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "name");
    int workers = 0;
    bool paused = false;
    if (!PG_ARGISNULL(1)) workers = PG_GETARG_INT32(1);
    if (!PG_ARGISNULL(2)) paused = PG_GETARG_BOOL(2);
    jobs::set_queue(text_argument(fcinfo, 0), PG_ARGISNULL(1) ? nullptr : &workers,
                    PG_ARGISNULL(2) ? nullptr : &paused, text_argument(fcinfo, 3));
    PG_RETURN_VOID();
}

// self() -> the job that runs here
Datum pllua_bg_sql_self(PG_FUNCTION_ARGS) {
    Jsonb *self = jobs::describe_current();
    if (self == nullptr) PG_RETURN_NULL();
    PG_RETURN_JSONB_P(self);
}

Datum pllua_bg_sql_cancelled(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_BOOL(jobs::is_cancelled());
}

Datum pllua_bg_sql_snooze(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "delay");
    jobs::snooze(PG_GETARG_INTERVAL_P(0));
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_discard(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "why");
    jobs::discard(text_argument(fcinfo, 0));
    PG_RETURN_VOID();
}

// find_step(name) -> [result], or null: it is not done
Datum pllua_bg_sql_find_step(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "name");
    Jsonb *result;
    if (!jobs::find_step(text_argument(fcinfo, 0), &result)) PG_RETURN_NULL();
    PG_RETURN_JSONB_P(jobs::in_array(result));
}

Datum pllua_bg_sql_keep_step(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "name");
    jobs::keep_step(text_argument(fcinfo, 0), json_argument(fcinfo, 1));
    PG_RETURN_VOID();
}
