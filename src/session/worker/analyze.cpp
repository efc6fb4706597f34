// Analysing what a command says, with the types of its parameters.
// Owns nothing. The order of steps follows exec_simple_query and exec_parse_message
// in src/backend/tcop/postgres.c.
#include "session/worker/worker.h"

#include "pg/params.h"

extern "C" {
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

// Raises when there are more values than the statement has parameters.
void check_param_count(const pg::ParamTypes *types) {
    int wanted = types->count;
    while (wanted > 0 && types->place[wanted - 1] == nullptr) wanted--;
    if (wanted < types->count)
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR),
                 errmsg("wrong number of parameters: expected %d, got %d", wanted, types->count)));
}

} // namespace

bool push_snapshot_to_analyze(const CommandMessage *command, RawStmt *statement) {
    if (command->nparams == 0 && !analyze_requires_snapshot(statement)) return false;
    PushActiveSnapshot(GetTransactionSnapshot());
    return true;
}

void check_param_types(const CommandMessage *command) {
    for (uint32 i = 0; i < command->nparams; i++) {
        Oid type = command->params[i].type;
        const bool exists = SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type));
        if (exists && definitions_hold(command->definitions[i], is_own_worker)) continue;
        if (exists)
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("type %s of parameter $%u has been changed since it was sent",
                                   format_type_be(type), i + 1)));
        ereport(
            ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT),
             errmsg("type of parameter $%u does not exist for the background session", i + 1),
             errhint(
                 "A type can be used in a background session once its creation is committed.")));
    }
}

ParamListInfo keep_params_text(ParamListInfo params) {
    if (params != nullptr && log_parameter_max_length_on_error != 0)
        params->paramValuesStr =
            BuildParamLogString(params, nullptr, log_parameter_max_length_on_error);
    return params;
}

List *plan_statement(const CommandMessage *command, RawStmt *statement, ParamListInfo *bound) {
    const bool snapshot = push_snapshot_to_analyze(command, statement);
    List *queries;
    if (command->nparams > 0) {
        check_param_types(command);
        pg::ParamTypes types;
        pg::init_param_types(&types, static_cast<int>(command->nparams), command->params);
        queries = pg::analyze_with_params(statement, command->sql, &types);
        check_param_count(&types);
        *bound = keep_params_text(pg::bind_params(&types, command->params));
    } else {
        queries = pg_analyze_and_rewrite_fixedparams(statement, command->sql, nullptr, 0, nullptr);
    }
    List *plans = pg_plan_queries(queries, command->sql, CURSOR_OPT_PARALLEL_OK, *bound);
    if (snapshot) PopActiveSnapshot();
    CHECK_FOR_INTERRUPTS();
    return plans;
}

} // namespace pllua_bg::session
