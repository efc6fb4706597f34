// Reading a job that is about to run. See job_row.h for the contracts.
#include "jobs/job_row.h"

#include "jobs/args.h"
#include "jobs/option_values.h"
#include "jobs/rows.h"

extern "C" {
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace pllua_bg::jobs {

namespace {

char *text_value(const Row *row, AttrNumber column) {
    bool isnull;
    const Datum value = column_of(row, column, &isnull);
    return isnull ? nullptr : TextDatumGetCString(value);
}

Jsonb *json_value(const Row *row, AttrNumber column) {
    bool isnull;
    const Datum value = column_of(row, column, &isnull);
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

// What the queue says; nullptr: nothing.
const char *queue_keeps(Datum queue) {
    Row row = find_row("job_queue", F_TEXTEQ, queue, AccessShareLock);
    const char *keeps = row.tuple == nullptr ? nullptr : text_value(&row, kQueueKeep);
    close_row(&row);
    return keeps;
}

void read_job_options(const Row *found, JobRow *row) {
    Jsonb *options = json_value(found, kOptions);
    const JsonbValue *timeout = option(options, "timeout");
    if (timeout != nullptr)
        row->timeout =
            DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(timeout->val.numeric)));
    const JsonbValue *settings = option(options, "settings");
    if (settings != nullptr) row->settings = jsonb_of(settings);
    const JsonbValue *keep = option(options, "keep");
    bool isnull;
    const char *keeps =
        keep != nullptr ? string_of(keep) : queue_keeps(column_of(found, kQueue, &isnull));
    row->keeps_done = keeps == nullptr || strcmp(keeps, "all") == 0;
}

// False: it is not due, or has failed meanwhile.
bool is_due(const Row *found, int16 attempt) {
    bool isnull;
    if (DatumGetInt16(column_of(found, kAttempt, &isnull)) != attempt) return false;
    const Datum run_at = column_of(found, kRunAt, &isnull);
    return isnull || DatumGetTimestampTz(run_at) <= GetCurrentTimestamp();
}

void check_owner(const Row *found, int64 id) {
    bool isnull;
    const Oid owner = DatumGetObjectId(column_of(found, kOwner, &isnull));
    if (owner != GetUserId() || owner != GetSessionUserId())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("job " INT64_FORMAT " is of another role", id)));
}

} // namespace

bool read_job(int64 id, int attempt, JobRow *row) {
    *row = {};
    row->id = id;
    row->attempt = static_cast<int16>(attempt);
    Row found = find_row("job", F_INT8EQ, Int64GetDatum(id), AccessShareLock);
    if (found.tuple != nullptr) check_owner(&found, id);
    const bool runs = found.tuple != nullptr && is_due(&found, row->attempt);
    if (runs) {
        row->sql = text_value(&found, kSql);
        row->args = json_value(&found, kArgs);
        row->search_path = text_value(&found, kSearchPath);
        read_job_options(&found, row);
    }
    close_row(&found);
    return runs;
}

void apply_settings(const JobRow *row, void (*set)(const char *name, const char *value)) {
    set("search_path", row->search_path);
    if (row->settings != nullptr) each_setting(&row->settings->root, set);
}

} // namespace pllua_bg::jobs
