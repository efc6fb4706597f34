// Running prepared statements: execute and its relatives. See statement.h for the contracts.
#include "api/lang/profile.h"
#include "api/lang/result.h"
#include "api/spi/cursor.h"
#include "api/spi/statement.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/plans.h"
#include "pg/subxact.h"
#include "types/types.h"

extern "C" {
#include "utils/plancache.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::api {

namespace {

// What a run reports besides rows. Trivially destructible.
struct Outcome {
    bool has_rows;
    uint64 processed;
    char tag[COMPLETION_TAG_BUFSIZE];
};

bool may_commit_inside(const Statement *statement) {
    return statement->nonatomic && !pg::current_activation->atomic &&
           pg::level_count() == pg::current_activation->level_base;
}

// A CALL or DO that may end the transaction: the plan must not be held by the
// transaction's resource owner.
int execute_nonatomic(SPIPlanPtr plan, SPIExecuteOptions *options) {
    int code = 0;
    ResourceOwner owner = ResourceOwnerCreate(nullptr, "pllua_bg call");
    options->owner = owner;
    options->allow_nonatomic = true;
    ErrorData *error =
        pg::attempt([&code, plan, options] { code = SPI_execute_plan_extended(plan, options); });
    pg::release_plan_references(owner);
    ResourceOwnerDelete(owner);
    if (error != nullptr) pg::rethrow(error);
    return code;
}

// The tag of the last command, as a client would see it.
// processed: 0 for utility commands that count nothing.
void set_tag(SPIPlanPtr plan, Outcome *outcome) {
    List *sources = SPI_plan_get_plan_sources(plan);
    outcome->tag[0] = '\0';
    if (sources == NIL) return;
    QueryCompletion completion;
    completion.commandTag = static_cast<CachedPlanSource *>(llast(sources))->commandTag;
    completion.nprocessed = outcome->processed;
    // The server names these after the query that fills the table.
    if (completion.commandTag == CMDTAG_CREATE_TABLE_AS ||
        completion.commandTag == CMDTAG_SELECT_INTO)
        completion.commandTag = CMDTAG_SELECT;
    pg::completion_text(outcome->tag, &completion);
}

// Whether the rows received are those of the last command. One that returns rows has announced
// them, be they none.
bool last_returns_rows(const Statement *statement, int code) {
    switch (code) {
    case SPI_OK_SELECT:
    case SPI_OK_INSERT_RETURNING:
    case SPI_OK_UPDATE_RETURNING:
    case SPI_OK_DELETE_RETURNING: return true;
    case SPI_OK_UTILITY: {
        List *sources = SPI_plan_get_plan_sources(statement->plan);
        return list_length(sources) == 1 ||
               static_cast<CachedPlanSource *>(llast(sources))->resultDesc != nullptr;
    }
    default: return false; // a rule may have made another command of it
    }
}

void execute(const Statement *statement, ParamArena *arena, uint64 limit, Outcome *outcome) {
    pg::ensure_spi();
    pg::refresh_plans();
    SPIExecuteOptions options = {};
    options.params = arena->params;
    options.read_only = pg::current_activation->read_only;
    options.tcount = limit;
    options.dest = &arena->rows.receiver;
    instr_time start = {};
    if (is_profiling) INSTR_TIME_SET_CURRENT(start);
    const int code = may_commit_inside(statement)
                         ? execute_nonatomic(statement->plan, &options)
                         : SPI_execute_plan_extended(statement->plan, &options);
    if (code < 0) raise_spi_code("SPI_execute_plan", code);
    if (is_profiling) profile_plan(statement->plan, start);
    // After a COMMIT in a procedure there is none; what follows may call functions that expect one.
    if (!pg::current_activation->atomic) EnsurePortalSnapshotExists();
    outcome->has_rows = arena->rows.descriptor != nullptr && last_returns_rows(statement, code);
    outcome->processed = outcome->has_rows ? arena->rows.count : SPI_processed;
    set_tag(statement->plan, outcome);
}

void push_rows(lua_State *L, int idx, const ParamArena *arena, const char *tag) {
    push_statement_shape(L, idx, arena->rows.descriptor);
    const int shape = lua_gettop(L);
    ResultBuilder builder;
    begin_result(L, &builder, shape, arena->rows.count);
    RowReader reader;
    start_reading(&reader, &arena->rows);
    while (next_row(&reader)) add_row(&builder, reader.values, reader.nulls);
    finish_result(&builder, tag);
    lua_remove(L, shape);
}

int statement_execute(lua_State *L) {
    check_statement(L, 1);
    run_statement(L, 1, 2, lua_gettop(L) - 1, 0);
    return 1;
}

int statement_execute_count(lua_State *L) {
    check_statement(L, 1);
    const lua_Integer limit = check_limit(L, 2);
    run_statement(L, 1, 3, lua_gettop(L) - 2, limit);
    return 1;
}

int statement_numargs(lua_State *L) {
    lua_pushinteger(L, check_statement(L, 1)->nargs);
    return 1;
}

int statement_argtype(lua_State *L) {
    const Statement *statement = check_statement(L, 1);
    const lua_Integer n = luaL_checkinteger(L, 2);
    if (n < 1 || n > statement->nargs) lua::raise(L, "22023", "parameter %I out of range", n);
    if (statement->origin[n - 1] == ParamOrigin::kUnused)
        lua_pushnil(L);
    else
        push_type_object(L, statement->types[n - 1]);
    return 1;
}

// Whether it returns rows that a cursor can give.
int statement_cursor_ok(lua_State *L) {
    const Statement *statement = check_statement(L, 1);
    bool ok = false;
    pg::call_own_subxact(L, [&] { ok = SPI_is_cursor_plan(statement->plan); });
    lua_pushboolean(L, ok);
    return 1;
}

// Every statement is kept: nothing to do.
int statement_save(lua_State *L) {
    check_statement(L, 1);
    lua_settop(L, 1);
    return 1;
}

int statement_issaved(lua_State *L) {
    check_statement(L, 1);
    lua_pushboolean(L, 1);
    return 1;
}

} // namespace

void run_statement(lua_State *L, int idx, int first, int nargs, lua_Integer limit) {
    auto *statement = static_cast<Statement *>(lua_touserdata(L, idx));
    check_argument_count(L, statement, nargs);
    ParamArena *arena = take_arena(L);
    const int handle = lua_gettop(L);
    set_parameters(L, arena, first, nargs, statement->types);
    prepare_store(&arena->rows, L, arena->context, statement->descriptor);
    Outcome outcome;
    pg::call(L, [=, &outcome] { execute(statement, arena, static_cast<uint64>(limit), &outcome); });
    count_statement(L, statement);
    if (outcome.has_rows)
        push_rows(L, idx, arena, outcome.tag);
    else
        lua_pushinteger(L, static_cast<lua_Integer>(outcome.processed));
    return_arena(L, handle);
    lua_remove(L, handle);
}

lua_Integer check_limit(lua_State *L, int idx) {
    if (lua_isnil(L, idx)) return 0;
    const lua_Integer limit = luaL_checkinteger(L, idx);
    if (limit < 0 || limit > INT_MAX)
        lua::raise(L, "22023", "requested number of rows is out of range");
    return limit;
}

const luaL_Reg kStatementMethods[] = {
    {"execute", statement_execute},
    {"execute_count", statement_execute_count},
    {"rows", statement_rows},
    {"values", statement_values},
    {"numargs", statement_numargs},
    {"argtype", statement_argtype},
    {"getcursor", statement_getcursor},
    {"cursor_ok", statement_cursor_ok},
    {"save", statement_save},
    {"issaved", statement_issaved},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
