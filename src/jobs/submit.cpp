// A job becomes a row. See submit.h for the contracts. Nothing is updated and nobody waited for:
// what a key means for other jobs decides the scheduler.
#include "jobs/submit.h"

#include "jobs/jobs.h"
#include "jobs/options.h"
#include "jobs/orders.h"
#include "jobs/statement.h"
#include "jobs/tables.h"
#include "session/session.h"

extern "C" {
#include "utils/array.h"
#include "utils/guc.h"
}

namespace pllua_bg::jobs {

namespace {

// Of a statement, and of its arguments: what jsonb can be, about. Options have a limit of their
// own.
constexpr Size kMostBytes = 255 * 1024 * 1024;
// Of both, where the scheduler itself hands them over.
constexpr Size kMostOutside = 16 * 1024 * 1024;

OwnStatement insert_job = {
    "insert into bg.job (queue, priority, run_at, owner, owner_name, key, key_mode, limit_key, "
    "limit_n, every, timezone, has_parents, sql, args, options, search_path, submitted_at) values "
    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) returning id",
    17,
    {TEXTOID, INT2OID, TIMESTAMPTZOID, OIDOID, NAMEOID, TEXTOID, CHAROID, TEXTOID, INT2OID, TEXTOID,
     TEXTOID, BOOLOID, TEXTOID, JSONBOID, JSONBOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

OwnStatement insert_parents = {
    "insert into bg.job_after (child, parent) select $1, pg_catalog.unnest($2)",
    2,
    {INT8OID, INT8ARRAYOID},
    nullptr};

OwnStatement next_run = {
    "select bg.next_run($1, $2, $3)", 3, {TEXTOID, TIMESTAMPTZOID, TEXTOID}, nullptr};

// The values of a row on their way, nulls as SPI has them.
struct Values {
    Datum values[26];
    char nulls[26];
    int n;
};

void put(Values *row, Datum value, bool isnull = false) {
    row->values[row->n] = value;
    row->nulls[row->n++] = isnull ? 'n' : ' ';
}

void put_text(Values *row, const char *text) {
    put(row, text == nullptr ? 0 : CStringGetTextDatum(text), text == nullptr);
}

void put_json(Values *row, Jsonb *json) { put(row, PointerGetDatum(json), json == nullptr); }

void check_sizes(const char *sql, const Jsonb *args) {
    const bool fits = strlen(sql) <= kMostBytes && (args == nullptr || VARSIZE(args) <= kMostBytes);
    if (!fits)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the job is too long"),
                        errdetail("Statement and arguments have at most 255 MB each."),
                        errhint("Put the data into a table, and its key into the job.")));
}

void check_size_outside(const Statement *statement) {
    const Size size =
        strlen(statement->sql) + (statement->args == nullptr ? 0 : VARSIZE(statement->args));
    if (size > kMostOutside)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the job is too long"),
                 errdetail("Statement and arguments of a job of transaction = false have at most "
                           "16 MB together."),
                 errhint("Put the data into a table, and its key into the job.")));
}

// When a job that recurs runs first; what is no interval and no cron string is found here.
void set_first_run(Options *options, const char *timezone) {
    Datum values[] = {CStringGetTextDatum(options->every),
                      TimestampTzGetDatum(GetCurrentTimestamp()), CStringGetTextDatum(timezone)};
    bool isnull = true;
    Datum first = 0;
    if (run_as_caller(&next_run, values, nullptr) > 0) first = first_value(1, &isnull);
    if (isnull)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the times of option \"every\" never come: \"%s\"", options->every)));
    if (!options->has_run_at) options->run_at = DatumGetTimestampTz(first);
    options->has_run_at = true;
}

int64 insert_row(const Statement *statement, const Options *options, const char *timezone) {
    NameData owner;
    namestrcpy(&owner, GetUserNameFromId(GetUserId(), false));
    Values row = {};
    put_text(&row, options->queue);
    put(&row, Int16GetDatum(options->priority));
    put(&row, TimestampTzGetDatum(options->run_at), !options->has_run_at);
    put(&row, ObjectIdGetDatum(GetUserId()));
    put(&row, NameGetDatum(&owner));
    put_text(&row, options->key);
    put(&row, CharGetDatum(static_cast<char>(options->mode)), options->key == nullptr);
    put_text(&row, options->limit_key);
    put(&row, Int16GetDatum(options->limit), options->limit_key == nullptr);
    put_text(&row, options->every);
    put_text(&row, timezone);
    put(&row, BoolGetDatum(options->nparents > 0));
    put_text(&row, statement->sql);
    put_json(&row, statement->args);
    put_json(&row, options->kept);
    put_text(&row, GetConfigOption("search_path", false, false));
    put(&row, TimestampTzGetDatum(GetCurrentTimestamp()));
    (void)run_as_owner(&insert_job, row.values, row.nulls);
    bool isnull;
    return DatumGetInt64(first_value(1, &isnull));
}

void check_parents(const Options *options) {
    for (int i = 0; i < options->nparents; i++) {
        const int64 id = DatumGetInt64(options->parents[i]);
        check_member(owner_of_job(id), id);
    }
}

void insert_after(int64 id, const Options *options) {
    if (options->nparents == 0) return;
    ArrayType *parents = construct_array(options->parents, options->nparents, INT8OID, 8,
                                         FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
    Datum values[] = {Int64GetDatum(id), PointerGetDatum(parents)};
    (void)run_as_owner(&insert_parents, values, nullptr);
}

} // namespace

int64 submit(const char *sql, Jsonb *args, Jsonb *options_object) {
    check_running();
    session::check_may_use();
    check_sizes(sql, args);
    Options options;
    read_options(options_object, &options);
    Statement statement;
    resolve_statement(sql, args, &statement);
    if (!options.transaction) check_size_outside(&statement);
    check_statement(&statement, options.transaction);
    const char *timezone = GetConfigOption("TimeZone", false, false);
    SPI_connect();
    if (options.every != nullptr) set_first_run(&options, timezone);
    check_parents(&options);
    settle_home_at_first();
    const int64 id = insert_row(&statement, &options, timezone);
    insert_after(id, &options);
    SPI_finish();
    announce(id);
    return id;
}

} // namespace pllua_bg::jobs
