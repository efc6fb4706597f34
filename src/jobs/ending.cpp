// What has become of a job: looking, and waiting for it. See orders.h for the contracts.
#include "jobs/args.h"
#include "jobs/jobs.h"
#include "jobs/orders.h"
#include "jobs/tables.h"
#include "pg/guard.h"
#include "pg/subxact.h"
#include "pg/wait.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::jobs {

namespace {

// A living one first; else whether it is to live again, or the newest that has ended.
OwnStatement select_ending = {
    "select true, j.xmin, null::pg_catalog.\"char\", j.attempt operator(pg_catalog.>) 0, "
    "null::pg_catalog.jsonb, j.errors operator(pg_catalog.->) -1, "
    "'infinity'::pg_catalog.timestamptz "
    "from bg.job j where j.id operator(pg_catalog.=) $1 union all "
    "select true, o.xmin, null, false, null, null, o.at from bg.job_order o "
    "where o.job operator(pg_catalog.=) $1 and o.action operator(pg_catalog.=) 'retry' union all "
    "select false, d.xmin, d.state, false, d.result, d.error, d.ended_at "
    "from bg.job_done d where d.id operator(pg_catalog.=) $1 "
    "order by 7 using operator(pg_catalog.>) limit 1",
    1,
    {INT8OID},
    nullptr};

Jsonb *json_value(int column) {
    bool isnull;
    const Datum value = first_value(column, &isnull);
    return isnull ? nullptr : DatumGetJsonbPCopy(value);
}

char *text_of(Jsonb *error, const char *name) {
    JsonbValue key;
    key.type = jbvString;
    key.val.string.val = const_cast<char *>(name);
    key.val.string.len = static_cast<int>(strlen(name));
    const JsonbValue *value = error == nullptr || !JB_ROOT_IS_OBJECT(error)
                                  ? nullptr
                                  : findJsonbValueFromContainer(&error->root, JB_FOBJECT, &key);
    return value != nullptr && value->type == jbvString ? string_of(value) : nullptr;
}

int code_of(const char *sqlstate) {
    if (sqlstate == nullptr || strlen(sqlstate) != 5) return ERRCODE_RAISE_EXCEPTION;
    return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);
}

double seconds_left(TimestampTz end) {
    return static_cast<double>(pg::milliseconds_until(end)) / 1000;
}

void check_committed(int64 id, const Ending *ending) {
    if (!ending->living || !ending->own) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("job " INT64_FORMAT " was submitted by this transaction", id),
                    errhint("It runs when the transaction has committed: wait for it then.")));
}

// Who waits for long keeps nobody waiting, nor the history from being emptied: the locks of the
// look go with a subtransaction. What it finds of results goes, too.
void look_without_locks(int64 id, Ending *ending) {
    pg::Subtransaction own;
    pg::begin_subtransaction(&own);
    ErrorData *error = pg::attempt([id, ending] {
        SPI_connect();
        look_at_job(id, ending);
        SPI_finish();
    });
    ErrorData *failed = pg::end_subtransaction(&own, false);
    if (error == nullptr) error = failed;
    if (error != nullptr) pg::rethrow(error);
}

} // namespace

void look_at_job(int64 id, Ending *ending) {
    check_member(owner_of_job(id), id);
    Datum values[] = {Int64GetDatum(id)};
    if (run_as_owner_now(&select_ending, values) == 0) refuse_unknown_job(id);
    bool isnull;
    *ending = {};
    ending->living = DatumGetBool(first_value(1, &isnull));
    ending->own =
        TransactionIdIsCurrentTransactionId(DatumGetTransactionId(first_value(2, &isnull)));
    ending->state = ending->living ? '\0' : DatumGetChar(first_value(3, &isnull));
    ending->retries = DatumGetBool(first_value(4, &isnull));
    ending->result = json_value(5);
    ending->error = json_value(6);
}

char wait_for_job(int64 id, double timeout) {
    check_running();
    const double microseconds = Min(timeout, 1e9) * USECS_PER_SEC;
    const TimestampTz end = GetCurrentTimestamp() + static_cast<TimestampTz>(microseconds);
    for (;;) {
        Waiter waiter = begin_wait(id);
        Ending ending;
        look_without_locks(id, &ending);
        check_committed(id, &ending);
        char state = ending.state;
        if (state == '\0') {
            const session::Condition condition = ended(&waiter);
            const session::WaitFor wanted = {nullptr, 0, false, nullptr, &condition};
            (void)session::wait_any(&wanted, 1, timeout < 0 ? -1 : seconds_left(end));
            state = outcome(&waiter);
        }
        end_wait(&waiter);
        if (state != kLookAgain) return state;
    }
}

void raise_job_error(int64 id, Jsonb *error) {
    const char *message = text_of(error, "message");
    const char *detail = text_of(error, "detail");
    const char *hint = text_of(error, "hint");
    const char *context = text_of(error, "context");
    const char *where = context == nullptr ? psprintf("job " INT64_FORMAT, id)
                                           : psprintf("%s\njob " INT64_FORMAT, context, id);
    ereport(ERROR, (errcode(code_of(text_of(error, "sqlstate"))),
                    message == nullptr ? errmsg("job " INT64_FORMAT " failed", id)
                                       : errmsg_internal("%s", message),
                    detail == nullptr ? 0 : errdetail_internal("%s", detail),
                    hint == nullptr ? 0 : errhint("%s", hint), errcontext("%s", where)));
}

const char *state_word(char state) {
    switch (state) {
    case 'd': return "done";
    case 'f': return "failed";
    case 'c': return "cancelled";
    case 'x': return "discarded";
    case 's': return "superseded";
    default: return nullptr;
    }
}

} // namespace pllua_bg::jobs
