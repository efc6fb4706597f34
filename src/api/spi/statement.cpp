// Making prepared statements, with types of parameters inferred. See statement.h for the contracts.
#include "api/spi/statement.h"

#include "api/account.h"
#include "api/lang/result.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/params.h"

extern "C" {
#include "catalog/namespace.h"
#include "utils/plancache.h"
}

namespace pllua_bg::api {

namespace {

// What a small statement costs, and so what it needs to be made.
constexpr Size kLeastBytes = 16 * 1024;

const void *generic_plan(const Statement *statement) {
    List *sources = SPI_plan_get_plan_sources(statement->plan);
    return sources == NIL ? nullptr : static_cast<CachedPlanSource *>(llast(sources))->gplan;
}

// Bytes of all that the server keeps for the statement.
Size size_of(const Statement *statement) {
    List *sources = SPI_plan_get_plan_sources(statement->plan);
    Size size = MemoryContextMemAllocated(statement->context, true);
    if (sources != NIL) size += MemoryContextMemAllocated(GetMemoryChunkContext(sources), false);
    ListCell *cell;
    foreach (cell, sources) {
        const auto *source = static_cast<CachedPlanSource *>(lfirst(cell));
        size += MemoryContextMemAllocated(source->context, true);
        if (source->gplan != nullptr)
            size += MemoryContextMemAllocated(source->gplan->context, true);
    }
    return size;
}

SPIPlanPtr prepare_plan(const char *sql, int count, Oid *types, int options) {
    SPIPlanPtr plan = SPI_prepare_cursor(sql, count, types, options);
    if (plan == nullptr) raise_spi_code("SPI_prepare", SPI_result);
    return plan;
}

// The state of an inference pass, in CurrentMemoryContext.
void start_inference(const StatementRequest &request, pg::ParamTypes *types) {
    auto *values = static_cast<pg::ParamValue *>(
        palloc0(sizeof(pg::ParamValue) * static_cast<Size>(request.count) + 1));
    for (int i = 0; i < request.count; i++) {
        values[i].weak = !OidIsValid(request.types[i]);
        if (!values[i].weak)
            values[i].type = request.types[i];
        else
            values[i].type = request.own != nullptr ? request.own[i] : TEXTOID;
        values[i].isnull = true;
    }
    pg::init_param_types(types, request.count, values);
}

// Prepares the text once with parameters of any type, to learn which types it asks for. Sets nargs,
// types and origin.
void infer_types(const StatementRequest &request, Statement *statement) {
    pg::ParamTypes types;
    start_inference(request, &types);
    SPIPrepareOptions options = {};
    options.parserSetup = pg::setup_param_hooks;
    options.parserSetupArg = &types;
    options.cursorOptions = request.cursor_options;
    SPIPlanPtr plan = SPI_prepare_extended(request.sql, &options);
    if (plan == nullptr) raise_spi_code("SPI_prepare", SPI_result);

    // Values that no place asks for are not counted: the caller reports that there are too many.
    int nargs = 0;
    for (int i = 0; i < request.count; i++) {
        const bool declared = request.own == nullptr && OidIsValid(request.types[i]);
        if (types.place[i] != nullptr || declared) nargs = i + 1;
    }
    auto *origin = static_cast<ParamOrigin *>(
        MemoryContextAlloc(statement->context, sizeof(ParamOrigin) * static_cast<Size>(nargs) + 1));
    for (int i = 0; i < nargs; i++) {
        // A row may have been asked what it is.
        const bool own = types.resolved[i] == UNKNOWNOID ||
                         (types.resolved[i] == types.own[i] && type_is_rowtype(types.own[i]));
        const bool unused = request.own == nullptr && types.place[i] == nullptr;
        origin[i] = !types.weak[i] ? ParamOrigin::kGiven
                    : unused       ? ParamOrigin::kUnused
                    : own          ? ParamOrigin::kOwn
                                   : ParamOrigin::kInferred;
    }
    List *queries = NIL;
    ListCell *cell;
    foreach (cell, SPI_plan_get_plan_sources(plan))
        queries = list_concat(queries, static_cast<CachedPlanSource *>(lfirst(cell))->query_list);
    (void)pg::needs_second_pass(&types, queries);
    SPI_freeplan(plan);

    auto *resolved = static_cast<Oid *>(
        MemoryContextAlloc(statement->context, sizeof(Oid) * static_cast<Size>(nargs) + 1));
    for (int i = 0; i < nargs; i++) {
        resolved[i] = types.resolved[i] == UNKNOWNOID ? TEXTOID : types.resolved[i];
        if (origin[i] == ParamOrigin::kInferred) statement->inferred = true;
    }
    statement->nargs = nargs;
    statement->types = resolved;
    statement->origin = origin;
}

// True when there is nothing to infer. Values are looked at even when all are
// strong, to find those too many.
bool all_declared(const StatementRequest &request) {
    if (request.own != nullptr) return request.count == 0;
    for (int i = 0; i < request.count; i++)
        if (!OidIsValid(request.types[i])) return false;
    return true;
}

void copy_declared(const StatementRequest &request, Statement *statement) {
    const auto n = static_cast<Size>(request.count);
    auto *types = static_cast<Oid *>(MemoryContextAlloc(statement->context, sizeof(Oid) * n + 1));
    auto *origin = static_cast<ParamOrigin *>(
        MemoryContextAlloc(statement->context, sizeof(ParamOrigin) * n + 1));
    for (int i = 0; i < request.count; i++) {
        types[i] = request.types[i];
        origin[i] = ParamOrigin::kGiven;
    }
    statement->nargs = request.count;
    statement->types = types;
    statement->origin = origin;
}

bool may_end_transaction(SPIPlanPtr plan) {
    List *sources = SPI_plan_get_plan_sources(plan);
    if (list_length(sources) != 1) return false;
    const CommandTag tag = static_cast<CachedPlanSource *>(linitial(sources))->commandTag;
    return tag == CMDTAG_CALL || tag == CMDTAG_DO;
}

void prepare_statement(const StatementRequest &request, Statement *statement) {
    pg::ensure_spi();
    statement->context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg statement", ALLOCSET_SMALL_SIZES);
    // What the parser leaves behind goes with the statement's scratch context.
    MemoryContext scratch =
        AllocSetContextCreate(statement->context, "pllua_bg prepare", ALLOCSET_SMALL_SIZES);
    MemoryContextSwitchTo(scratch);
    if (all_declared(request))
        copy_declared(request, statement);
    else
        infer_types(request, statement);
    if (statement->inferred)
        statement->search_path = MemoryContextStrdup(statement->context, namespace_search_path);
    SPIPlanPtr plan = prepare_plan(request.sql, statement->nargs,
                                   const_cast<Oid *>(statement->types), request.cursor_options);
    statement->nonatomic = may_end_transaction(plan);
    SPI_keepplan(plan);
    statement->plan = plan;
    MemoryContextSwitchTo(statement->context);
    MemoryContextDelete(scratch);
}

int collect_statement(lua_State *L) {
    auto *statement = static_cast<Statement *>(lua_touserdata(L, 1));
    SPIPlanPtr plan = statement->plan;
    MemoryContext context = statement->context;
    statement->plan = nullptr;
    statement->context = nullptr;
    if (plan == nullptr && context == nullptr) return 0;
    pg::call_no_subxact(L, [plan, context] {
        if (plan != nullptr) SPI_freeplan(plan);
        if (context != nullptr) MemoryContextDelete(context);
    });
    recount(L, &statement->counted, 0);
    return 0;
}

} // namespace

void raise_spi_code(const char *what, int code) {
    switch (code) {
    case SPI_ERROR_COPY:
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("COPY to or from the client is not possible in a function"),
                 errhint("COPY to or from a file or a program, or use a background session.")));
    case SPI_ERROR_TRANSACTION:
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("transaction commands cannot be executed in a function"),
                 errhint("Use spi.commit() and spi.rollback() in a procedure, or pcall().")));
    default: elog(ERROR, "%s failed: %s", what, SPI_result_code_string(code));
    }
    pg_unreachable();
}

int count_placeholders(const char *sql) {
    int highest = 0;
    for (const char *p = strchr(sql, '$'); p != nullptr; p = strchr(p + 1, '$')) {
        int number = 0;
        for (const char *digit = p + 1; *digit >= '0' && *digit <= '9' && number < 65536; digit++)
            number = number * 10 + (*digit - '0');
        if (number <= 65535) highest = Max(highest, number);
    }
    return highest;
}

Statement *push_statement(lua_State *L, const StatementRequest &request) {
    require_memory(L, Max(kLeastBytes, strlen(request.sql)));
    auto *statement = lua::new_userdata<Statement>(L, kStatementType, kStatementValues);
    pg::call(L, [&request, statement] { prepare_statement(request, statement); });
    statement->cursor_options = request.cursor_options;
    statement->fetch_count = request.fetch_count;
    recount(L, &statement->counted, size_of(statement));
    require_memory(L, 0);
    return statement;
}

void count_statement(lua_State *L, Statement *statement) {
    if (statement->plan == nullptr) return;
    const void *generic = generic_plan(statement);
    if (generic == statement->generic) [[likely]]
        return;
    statement->generic = generic;
    recount(L, &statement->counted, size_of(statement));
}

Statement *check_statement(lua_State *L, int idx) {
    auto *statement = lua::check_userdata<Statement>(L, idx, kStatementType);
    if (statement->context == nullptr) lua::raise_finalized(L, "a statement");
    return statement;
}

Statement *to_statement(lua_State *L, int idx) {
    return lua::to_userdata<Statement>(L, idx, kStatementType);
}

void push_statement_shape(lua_State *L, int idx, TupleDesc descriptor) {
    auto *statement = static_cast<Statement *>(lua_touserdata(L, idx));
    if (statement->descriptor != descriptor &&
        (statement->descriptor == nullptr || !equalTupleDescs(statement->descriptor, descriptor))) {
        // Shape and descriptor are never out of step, should memory run out in between.
        statement->descriptor = nullptr;
        push_result_shape(L, descriptor);
        lua_setiuservalue(L, idx, kStatementShape);
        pg::call_no_subxact(L, [statement, descriptor] {
            MemoryContextSwitchTo(statement->context);
            statement->descriptor = CreateTupleDescCopy(descriptor);
        });
    }
    lua_getiuservalue(L, idx, kStatementShape);
}

void check_argument_count(lua_State *L, const Statement *statement, int nargs) {
    if (nargs != statement->nargs)
        lua::raise(L, "42601", "wrong number of arguments to SPI query: expected %d got %d",
                   statement->nargs, nargs);
}

void initialize_statements(lua_State *L, const luaL_Reg *methods) {
    lua::new_metatable(L, kStatementType);
    lua_pushcfunction(L, collect_statement);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_getfield(L, -1, "execute");
    lua_setfield(L, -3, "__call");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

} // namespace pllua_bg::api
