// Reading a job that is about to run. See job_row.h for the contracts.
#include "jobs/job_row.h"

#include "jobs/args.h"
#include "jobs/option_values.h"
#include "jobs/tables.h"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace pllua_bg::jobs {

namespace {

OwnStatement select_job = {
    "select j.owner, j.run_at, j.sql, j.args, j.search_path, j.options, "
    "(select q.keep from bg.job_queue q where q.name operator(pg_catalog.=) j.queue), "
    "(select s.slot from bg.job_state s) "
    "from bg.job j where j.id operator(pg_catalog.=) $1 and j.attempt operator(pg_catalog.=) $2",
    2,
    {INT8OID, INT2OID},
    nullptr};

char *text_value(int column) {
    bool isnull;
    const Datum value = first_value(column, &isnull);
    return isnull ? nullptr : TextDatumGetCString(value);
}

Jsonb *json_value(int column) {
    bool isnull;
    const Datum value = first_value(column, &isnull);
    return isnull ? nullptr : DatumGetJsonbPCopy(value);
}

JsonbValue *option(Jsonb *options, const char *name) {
    if (options == nullptr) return nullptr;
    JsonbValue key;
    key.type = jbvString;
    key.val.string.val = const_cast<char *>(name);
    key.val.string.len = static_cast<int>(strlen(name));
    return findJsonbValueFromContainer(&options->root, JB_FOBJECT, &key);
}

void read_job_options(Jsonb *options, const char *queue_keeps, JobRow *row) {
    const JsonbValue *timeout = option(options, "timeout");
    if (timeout != nullptr)
        row->timeout =
            DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(timeout->val.numeric)));
    const JsonbValue *settings = option(options, "settings");
    if (settings != nullptr) row->settings = jsonb_of(settings);
    const JsonbValue *keep = option(options, "keep");
    const char *keeps = keep != nullptr ? string_of(keep) : queue_keeps;
    row->keeps_done = keeps == nullptr || strcmp(keeps, "all") == 0;
}

} // namespace

bool read_job(int64 id, int attempt, JobRow *row) {
    *row = {};
    row->id = id;
    row->attempt = static_cast<int16>(attempt);
    Datum values[] = {Int64GetDatum(id), Int16GetDatum(row->attempt)};
    if (run_as_owner(&select_job, values, nullptr) == 0) return false;
    bool isnull;
    const Oid owner = DatumGetObjectId(first_value(1, &isnull));
    if (owner != GetUserId() || owner != GetSessionUserId())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("job " INT64_FORMAT " is of another role", id)));
    const Datum run_at = first_value(2, &isnull);
    if (!isnull && DatumGetTimestampTz(run_at) > GetCurrentTimestamp()) return false;
    row->sql = text_value(3);
    row->args = json_value(4);
    row->search_path = text_value(5);
    const Datum slot = first_value(8, &isnull);
    row->slot = isnull ? int16{0} : DatumGetInt16(slot);
    read_job_options(json_value(6), text_value(7), row);
    SPI_freetuptable(SPI_tuptable);
    return true;
}

void apply_settings(const JobRow *row, void (*set)(const char *name, const char *value)) {
    set("search_path", row->search_path);
    if (row->settings != nullptr) each_setting(&row->settings->root, set);
}

} // namespace pllua_bg::jobs
