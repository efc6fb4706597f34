// The statements of a job, as the role that has submitted it. See execute.h for the contracts.
#include "jobs/execute.h"

#include "jobs/args.h"
#include "pg/params.h"
#include "pg/plans.h"

extern "C" {
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "utils/plancache.h"
}

namespace pllua_bg::jobs {

namespace {

[[noreturn]] void refuse(int code) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a job cannot run this statement in its transaction"),
                    errdetail("%s", SPI_result_code_string(code)),
                    errhint("Submit it with the option transaction = false.")));
}

SPIPlanPtr prepare(const char *sql, pg::ParamTypes *types) {
    SPIPrepareOptions options = {};
    options.parserSetup = pg::setup_param_hooks;
    options.parserSetupArg = types;
    options.cursorOptions = CURSOR_OPT_PARALLEL_OK;
    SPIPlanPtr plan = SPI_prepare_extended(sql, &options);
    if (plan == nullptr) refuse(SPI_result);
    return plan;
}

List *queries_of(SPIPlanPtr plan) {
    List *queries = NIL;
    ListCell *cell;
    foreach (cell, SPI_plan_get_plan_sources(plan))
        queries = list_concat(queries, static_cast<CachedPlanSource *>(lfirst(cell))->query_list);
    return queries;
}

void execute_one(const char *sql, const Args *args, FirstRow *first) {
    pg::ParamTypes types;
    pg::init_param_types(&types, args->count, args->own);
    SPIPlanPtr plan = prepare_job(sql, &types);
    SPIExecuteOptions options = {};
    options.params = bind_args(args, &types);
    options.dest = &first->receiver;
    pg::refresh_plans();
    const int code = SPI_execute_plan_extended(plan, &options);
    if (code < 0) refuse(code);
    SPI_freeplan(plan);
}

} // namespace

SPIPlanPtr prepare_job(const char *sql, pg::ParamTypes *types) {
    SPIPlanPtr plan = prepare(sql, types);
    if (types->count == 0 || !pg::needs_second_pass(types, queries_of(plan))) return plan;
    SPI_freeplan(plan);
    return prepare(sql, types);
}

void execute_job(const char *sql, Jsonb *array, FirstRow *first) {
    Args args;
    read_args(array, &args);
    ListCell *cell;
    foreach (cell, pg_parse_query(sql)) {
        const auto *raw = static_cast<RawStmt *>(lfirst(cell));
        const char *from = sql + raw->stmt_location;
        const Size length = raw->stmt_len == 0 ? strlen(from) : static_cast<Size>(raw->stmt_len);
        execute_one(pnstrdup(from, length), &args, first);
    }
}

} // namespace pllua_bg::jobs
