// The statements of a job, as the role that has submitted it. See execute.h for the contracts.
#include "jobs/execute.h"

#include "jobs/args.h"
#include "jobs/known_statements.h"
#include "pg/plans.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
}

namespace pllua_bg::jobs {

namespace {

KnownStatements run_lately;

void run(Known *known, const Args *args, FirstRow *first) {
    SPIExecuteOptions options = {};
    options.params = bind_args(args, &known->types);
    options.dest = &first->receiver;
    const int code = SPI_execute_plan_extended(known->plan, &options);
    if (code < 0) refuse_in_transaction(code);
}

void run_unknown(const char *sql, const Args *args, bool keeps, FirstRow *first) {
    Known *known = prepare_known(sql, args, CurrentMemoryContext);
    if (keeps) keep_known(&run_lately, known, sql);
    pg::refresh_plans();
    run(known, args, first);
    if (!known->kept) SPI_freeplan(known->plan);
}

} // namespace

void refuse_in_transaction(int code) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a job cannot run this statement in its transaction"),
                    errdetail("%s", SPI_result_code_string(code)),
                    errhint("Submit it with the option transaction = false.")));
}

void execute_job(const char *sql, Jsonb *array, bool keeps, FirstRow *first) {
    Args args;
    read_args(array, &args);
    pg::refresh_plans();
    Known *known = keeps ? find_known(&run_lately, sql, &args) : nullptr;
    if (known != nullptr) {
        run(known, &args, first);
        return;
    }
    List *statements = pg_parse_query(sql);
    ListCell *cell;
    foreach (cell, statements) {
        auto *raw = static_cast<RawStmt *>(lfirst(cell));
        const char *from = sql + raw->stmt_location;
        const Size length = raw->stmt_len == 0 ? strlen(from) : static_cast<Size>(raw->stmt_len);
        const bool is_whole = length == strlen(sql);
        run_unknown(pnstrdup(from, length), &args,
                    keeps && is_whole && analyze_requires_snapshot(raw), first);
    }
}

} // namespace pllua_bg::jobs
