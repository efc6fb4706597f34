// Orders to the scheduler, as rows. See orders.h for the contracts.
#include "jobs/orders.h"

#include "jobs/jobs.h"
#include "jobs/tables.h"

namespace pllua_bg::jobs {

namespace {

OwnStatement insert_order = {
    "insert into bg.job_order (job, action, role) values ($1, $2, $3) returning id",
    3,
    {INT8OID, TEXTOID, OIDOID},
    nullptr};

OwnStatement upsert_queue = {"insert into bg.job_queue as q (name, workers, paused, keep) values "
                             "($1, $2, coalesce($3, false), $4) "
                             "on conflict (name) do update set workers = coalesce($2, q.workers), "
                             "paused = coalesce($3, q.paused), keep = coalesce($4, q.keep)",
                             4,
                             {TEXTOID, INT4OID, BOOLOID, TEXTOID},
                             nullptr};

OwnStatement set_paused = {
    "insert into bg.job_state (paused) values ($1) on conflict (one) do update set paused = $1",
    1,
    {BOOLOID},
    nullptr};

void check_may_order() {
    check_running();
    if (InSecurityRestrictedOperation())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("cannot use jobs within security-restricted operation")));
}

const char *word(Order order) {
    switch (order) {
    case Order::kCancel: return "cancel";
    case Order::kRetry: return "retry";
    default: return "run";
    }
}

bool is_possible(int64 id, Order order, const Ending *ending) {
    if (order != Order::kRetry) return ending->living;
    if (!ending->living && ending->state == 'd')
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("job " INT64_FORMAT " is done", id),
                        errhint("bg.submit makes a new one.")));
    return !ending->living || ending->retries;
}

} // namespace

bool give_order(int64 id, Order order) {
    check_may_order();
    SPI_connect();
    Ending ending;
    look_at_job(id, &ending);
    const bool possible = is_possible(id, order, &ending);
    int64 number = 0;
    if (possible) {
        Datum values[] = {Int64GetDatum(id), CStringGetTextDatum(word(order)),
                          ObjectIdGetDatum(GetUserId())};
        (void)run_as_owner(&insert_order, values, nullptr);
        bool isnull;
        number = DatumGetInt64(first_value(1, &isnull));
    }
    SPI_finish();
    if (possible) announce(-number);
    return possible;
}

void pause(bool paused) {
    check_may_order();
    SPI_connect();
    Datum values[] = {BoolGetDatum(paused)};
    (void)run_as_owner(&set_paused, values, nullptr);
    SPI_finish();
    announce(0);
}

void set_queue(const char *name, const int *workers, const bool *paused, const char *keep) {
    check_may_order();
    if (*name == '\0' || strlen(name) > 200)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the name of a queue must be a text of 1 to 200 bytes")));
    if (workers != nullptr && (*workers < 0 || *workers > 1000))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("workers of a queue must be from 0 to 1000")));
    if (keep != nullptr && strcmp(keep, "all") != 0 && strcmp(keep, "failed") != 0 &&
        strcmp(keep, "none") != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("keep of a queue must be one of \"all\", \"failed\", \"none\"")));
    SPI_connect();
    Datum values[] = {CStringGetTextDatum(name), workers == nullptr ? 0 : Int32GetDatum(*workers),
                      paused == nullptr ? 0 : BoolGetDatum(*paused),
                      keep == nullptr ? 0 : CStringGetTextDatum(keep)};
    const char nulls[] = {' ', workers == nullptr ? 'n' : ' ', paused == nullptr ? 'n' : ' ',
                          keep == nullptr ? 'n' : ' ', '\0'};
    (void)run_as_owner(&upsert_queue, values, nulls);
    SPI_finish();
    announce(0);
}

} // namespace pllua_bg::jobs
