// What the code of a job can ask for and say. See current.h for the contracts.
#include "jobs/current.h"

#include "jobs/jobs.h"
#include "jobs/tables.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
}

namespace pllua_bg::jobs {

CurrentJob current_job = {};

namespace {

constexpr Size kLongestText = 1000;

OwnStatement select_self = {
    "select pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('id', j.id, 'attempt', "
    "j.attempt operator(pg_catalog.+) 1, 'queue', j.queue, 'priority', j.priority, 'key', j.key, "
    "'every', j.every, 'snoozed', j.snoozed, 'submitted_at', j.submitted_at)) "
    "from bg.job j where j.id operator(pg_catalog.=) $1",
    1,
    {INT8OID},
    nullptr};

OwnStatement select_cancel = {"select from bg.job_order o where o.job operator(pg_catalog.=) $1 "
                              "and o.action operator(pg_catalog.=) 'cancel' limit 1",
                              1,
                              {INT8OID},
                              nullptr};

OwnStatement select_step = {
    "select s.result from bg.job_step s where s.job operator(pg_catalog.=) $1 "
    "and s.name operator(pg_catalog.=) $2",
    2,
    {INT8OID, TEXTOID},
    nullptr};

OwnStatement insert_step = {
    "insert into bg.job_step (job, name, result) select j.id, $3, $4 from bg.job j "
    "where j.id operator(pg_catalog.=) $1 and j.attempt operator(pg_catalog.=) $2",
    4,
    {INT8OID, INT2OID, TEXTOID, JSONBOID},
    nullptr};

[[noreturn]] void refuse(const char *what, const char *hint) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("%s", what),
                    errhint("%s", hint)));
}

void check_in_transaction_job() {
    if (current_job.id == 0)
        refuse("this is no job", "What bg.submit was given calls this while it runs.");
    if (!current_job.transaction)
        refuse("a job of transaction = false has no end that it can choose",
               "Only what runs in the transaction of its job can be snoozed or discarded.");
}

void check_in_steps(const char *name) {
    if (current_job.id == 0)
        refuse("this is no job", "What bg.submit was given calls this while it runs.");
    if (current_job.transaction)
        refuse("a job in one transaction has no steps",
               "Its work is done as a whole or not at all. Submit it with transaction = false, as "
               "a call of a procedure.");
    if (*name == '\0' || strlen(name) > kLongestText)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the name of a step must be a text of 1 to 1000 bytes")));
}

} // namespace

Jsonb *describe_current() {
    if (current_job.id == 0) return nullptr;
    MemoryContext memory = CurrentMemoryContext;
    SPI_connect();
    Datum values[] = {Int64GetDatum(current_job.id)};
    Jsonb *result = nullptr;
    if (run_as_owner(&select_self, values, nullptr) > 0) {
        bool isnull;
        Jsonb *found = DatumGetJsonbP(first_value(1, &isnull));
        result = static_cast<Jsonb *>(MemoryContextAlloc(memory, VARSIZE(found)));
        memcpy(result, found, VARSIZE(found));
    }
    SPI_finish();
    return result;
}

bool is_cancelled() {
    if (current_job.id == 0) return false;
    SPI_connect();
    Datum values[] = {Int64GetDatum(current_job.id)};
    const bool found = run_as_owner_now(&select_cancel, values) > 0;
    SPI_finish();
    return found;
}

void snooze(const Interval *delay) {
    check_in_transaction_job();
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz until = DatumGetTimestampTz(DirectFunctionCall2(
        timestamptz_pl_interval, TimestampTzGetDatum(now), IntervalPGetDatum(delay)));
    if (until < now || TIMESTAMP_NOT_FINITE(until))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job can be snoozed for 0 seconds or longer")));
    current_job.snooze_until = until;
    current_job.discard = nullptr;
}

void discard(const char *why) {
    check_in_transaction_job();
    const Size length = static_cast<Size>(
        pg_mbcliplen(why, static_cast<int>(strlen(why)), static_cast<int>(kLongestText)));
    MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
    current_job.discard = pnstrdup(why, length);
    MemoryContextSwitchTo(old);
    current_job.snooze_until = 0;
}

bool find_step(const char *name, Jsonb **result) {
    check_in_steps(name);
    MemoryContext memory = CurrentMemoryContext;
    SPI_connect();
    Datum values[] = {Int64GetDatum(current_job.id), CStringGetTextDatum(name)};
    const bool found = run_as_owner(&select_step, values, nullptr) > 0;
    *result = nullptr;
    bool isnull = true;
    const Datum value = found ? first_value(1, &isnull) : 0;
    if (!isnull) {
        MemoryContextSwitchTo(memory);
        *result = DatumGetJsonbPCopy(value);
    }
    SPI_finish();
    return found;
}

void keep_step(const char *name, Jsonb *result) {
    check_in_steps(name);
    SPI_connect();
    Datum values[] = {Int64GetDatum(current_job.id),
                      Int16GetDatum(static_cast<int16>(current_job.attempt)),
                      CStringGetTextDatum(name), PointerGetDatum(result)};
    const uint64 count = run_as_owner(&insert_step, values, result == nullptr ? "   n" : "    ");
    SPI_finish();
    if (count == 1) return;
    ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                    errmsg("job " INT64_FORMAT " has ended meanwhile", current_job.id),
                    errdetail("What this step has done is undone.")));
}

} // namespace pllua_bg::jobs
