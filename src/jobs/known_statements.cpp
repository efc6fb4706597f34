// A small table of statements by their texts. See known_statements.h for the contracts.
#include "jobs/known_statements.h"

#include "jobs/execute.h"
#include "pg/compat.h"

extern "C" {
#include "common/hashfn.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rls.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr Size kLongest = 8192;

Known **entry_of(KnownStatements *statements, const char *sql) {
    const auto *bytes = reinterpret_cast<const unsigned char *>(sql);
    const uint32 hash = hash_bytes(bytes, static_cast<int>(strlen(sql)));
    return &statements->entries[hash % lengthof(statements->entries)];
}

const char *present_path() { return GetConfigOption("search_path", false, false); }

bool is_same(const Known *known, const char *sql, const Args *args) {
    if (known == nullptr || strcmp(known->sql, sql) != 0 || known->types.count != args->count ||
        known->user != GetUserId() || known->row_security != row_security ||
        strcmp(known->search_path, present_path()) != 0)
        return false;
    for (int i = 0; i < args->count; i++)
        if (known->types.own[i] != args->own[i].type) return false;
    return SPI_plan_is_valid(known->plan);
}

void forget(Known *known) {
    if (known == nullptr) return;
    SPI_freeplan(known->plan);
    MemoryContextDelete(known->context);
}

// Called for each analysis. The first ones are ours.
void begin_analysis(ParseState *parse, void *known_statement) {
    auto *known = static_cast<Known *>(known_statement);
    if (known->kept)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("what the statement of the job uses has changed meanwhile"),
                        errdetail("What this run has done is undone.")));
    pg::setup_param_hooks(parse, &known->types);
}

SPIPlanPtr prepare(const char *sql, Known *known) {
    SPIPrepareOptions options = {};
    options.parserSetup = begin_analysis;
    options.parserSetupArg = known;
    options.cursorOptions = CURSOR_OPT_PARALLEL_OK;
    SPIPlanPtr plan = SPI_prepare_extended(sql, &options);
    if (plan == nullptr) refuse_in_transaction(SPI_result);
    return plan;
}

List *queries_of(SPIPlanPtr plan) {
    List *queries = NIL;
    ListCell *cell;
    foreach (cell, SPI_plan_get_plan_sources(plan))
        queries = list_concat(queries, static_cast<CachedPlanSource *>(lfirst(cell))->query_list);
    return queries;
}

// Where a view is expanded its name is left as the relation of its subquery; before PostgreSQL 16
// in an entry of its own.
bool names_temporary(const List *entries) {
    ListCell *cell;
    foreach (cell, entries) {
        const auto *entry = static_cast<RangeTblEntry *>(lfirst(cell));
        if (OidIsValid(entry->relid) && get_rel_persistence(entry->relid) == RELPERSISTENCE_TEMP)
            return true;
    }
    return false;
}

bool finds_temporary(Node *node, void *) {
    if (node == nullptr) return false;
    if (!IsA(node, Query)) return pg::walk_expression(node, finds_temporary, nullptr);
    auto *query = reinterpret_cast<Query *>(node);
    Query *within =
        query->utilityStmt == nullptr ? nullptr : UtilityContainsQuery(query->utilityStmt);
    return names_temporary(query->rtable) ||
           finds_temporary(reinterpret_cast<Node *>(within), nullptr) ||
           pg::walk_query(query, finds_temporary, nullptr);
}

} // namespace

Known *prepare_known(const char *sql, const Args *args, MemoryContext memory) {
    MemoryContext context =
        AllocSetContextCreate(memory, "pllua_bg statement of jobs", ALLOCSET_SMALL_SIZES);
    MemoryContext own = MemoryContextSwitchTo(context);
    auto *known = static_cast<Known *>(palloc0(sizeof(Known)));
    const Size size = sizeof(pg::ParamValue) * static_cast<Size>(args->count);
    auto *values = static_cast<pg::ParamValue *>(palloc(size + 1));
    if (size > 0) memcpy(values, args->own, size);
    pg::init_param_types(&known->types, args->count, values);
    known->context = context;
    MemoryContextSwitchTo(own);
    known->plan = prepare(sql, known);
    if (args->count > 0 && pg::needs_second_pass(&known->types, queries_of(known->plan))) {
        SPI_freeplan(known->plan);
        known->plan = prepare(sql, known);
    }
    return known;
}

bool uses_temporary(const Known *known) {
    ListCell *cell;
    foreach (cell, queries_of(known->plan))
        if (finds_temporary(static_cast<Node *>(lfirst(cell)), nullptr)) return true;
    return false;
}

void keep_known(KnownStatements *statements, Known *known, const char *sql) {
    if (strlen(sql) > kLongest || known->types.count > 100) return;
    Known **entry = entry_of(statements, sql);
    known->sql = MemoryContextStrdup(known->context, sql);
    known->search_path = MemoryContextStrdup(known->context, present_path());
    known->user = GetUserId();
    known->row_security = row_security;
    if (SPI_keepplan(known->plan) != 0) return;
    known->kept = true;
    MemoryContextSetParent(known->context, TopMemoryContext);
    forget(*entry);
    *entry = known;
}

Known *find_known(KnownStatements *statements, const char *sql, const Args *args) {
    Known *known = *entry_of(statements, sql);
    return is_same(known, sql, args) ? known : nullptr;
}

} // namespace pllua_bg::jobs
