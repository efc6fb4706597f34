// Commands that are sent again and again: the statement of a text seen before is neither parsed nor
// planned another time. Owns the few statements it keeps.
//
// Nobody may notice. So it is kept only if analysing and planning it again would certainly give the
// same: calls with constants and parameters, and nothing else. No tables, whose statistics would
// ask for another plan; no constants but numbers and booleans, for what a string stands for can
// depend on settings and on the time ('now'), as the text form of a value can; no function of a
// user that planning could call, who may have called it immutable without reason; and with
// parameters not both what planning may compute and what it may not: which error comes first would
// depend on the plan. What
// any change of a function, operator, type, schema or role means is left to the analysis: all are
// then forgotten.
#include "session/worker.h"

#include "pg/compat.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "jit/jit.h"
#include "nodes/nodeFuncs.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace pllua_bg::session {

namespace {

constexpr int kMost = 16;
constexpr Size kLongest = 1024; // of a text, in bytes
constexpr uint32 kMostParams = 8;

// A text with the types of its parameters, as one user sends it.
struct Seen {
    uint32 hash;
    Oid user;
    uint32 nparams;
    Oid types[kMostParams];
    bool weak[kMostParams];
    bool filled;              // false: nothing is here
    uint64 used;              // of the clock
    bool unfit;               // not to be kept, as its analysis has shown
    CachedPlanSource *source; // nullptr: it has come once
};

Seen all_seen[kMost];
Seen present; // the command that runs; not filled: it is not to be kept
uint64 uses;  // the clock
bool stale;   // something has changed in a catalog

// Settings that become part of a plan.
struct PlanSettings {
    bool jit;
    double jit_cost;
    int parallel;
};

PlanSettings planned_with;
bool watching;

} // namespace

static void catalog_changes(Datum, int, uint32) { stale = true; }

static void watch() {
    static const int caches[] = {PROCOID, OPEROID,      TYPEOID, ATTNUM,         CASTSOURCETARGET,
                                 COLLOID, NAMESPACEOID, AUTHOID, AUTHMEMMEMROLE, DATABASEOID};
    for (int cache : caches) CacheRegisterSyscacheCallback(cache, catalog_changes, 0);
    watching = true;
}

void forget_repeated() {
    for (Seen &seen : all_seen) {
        if (seen.source != nullptr) DropCachedPlan(seen.source);
        seen = {};
    }
    stale = false;
}

// What to look for: the command, if it can be kept as far as can be told before it is parsed.
static bool describe(const WireCommand *command) {
    if (command->statement != 0 || command->nparams > kMostParams) return false;
    const Size length = strnlen(command->sql, kLongest + 1);
    if (length > kLongest) return false;
    present.hash =
        hash_bytes(reinterpret_cast<const unsigned char *>(command->sql), static_cast<int>(length));
    present.user = GetUserId();
    present.nparams = command->nparams;
    for (uint32 i = 0; i < command->nparams; i++) {
        if (command->params[i].table) return false; // it has a type of its own each time
        present.types[i] = command->params[i].type;
        present.weak[i] = command->params[i].weak;
    }
    present.filled = true;
    return true;
}

static bool is_present(const Seen *seen, const char *sql) {
    return seen->filled && seen->hash == present.hash && seen->user == present.user &&
           seen->nparams == present.nparams &&
           memcmp(seen->types, present.types, sizeof seen->types) == 0 &&
           memcmp(seen->weak, present.weak, sizeof seen->weak) == 0 &&
           (seen->source == nullptr || strcmp(seen->source->query_string, sql) == 0);
}

static Seen *find(const char *sql) {
    for (Seen &seen : all_seen) {
        if (!is_present(&seen, sql)) continue;
        seen.used = ++uses;
        return &seen;
    }
    return nullptr;
}

// Notes the settings of now; true when they are not those of the statements that are kept.
static bool take_settings() {
    const PlanSettings now = {jit_enabled, jit_above_cost, pg::debug_parallel_mode()};
    const bool same = now.jit == planned_with.jit && now.jit_cost == planned_with.jit_cost &&
                      now.parallel == planned_with.parallel;
    planned_with = now;
    return !same;
}

// True when somebody wants to see each statement parsed and planned.
static bool is_watched_by_user() {
    return Debug_print_parse || Debug_print_rewritten || Debug_print_plan || log_parser_stats ||
           log_planner_stats;
}

CachedPlanSource *repeated_statement(const WireCommand *command) {
    present = {};
    if (is_watched_by_user() || !describe(command) || !watching) return nullptr;
    if (IsAbortedTransactionBlockState()) return nullptr;
    AcceptInvalidationMessages();
    if (take_settings() || stale) forget_repeated();
    const Seen *seen = find(command->sql);
    return seen == nullptr ? nullptr : seen->source;
}

static bool is_plain_constant(const A_Const *constant) {
    if (constant->isnull) return false;
    const Node *value = &constant->val.node;
    return IsA(value, Integer) || IsA(value, Float) || IsA(value, Boolean);
}

// True at a node that forbids keeping the statement: all that is not known to be harmless.
static bool forbids(Node *node, void *) {
    if (node == nullptr) return false;
    switch (nodeTag(node)) {
    case T_A_Const: return !is_plain_constant(reinterpret_cast<const A_Const *>(node));
    case T_NamedArgExpr:
        return forbids(reinterpret_cast<Node *>(reinterpret_cast<const NamedArgExpr *>(node)->arg),
                       nullptr);
    case T_List:
    case T_ResTarget:
    case T_ParamRef:
    case T_FuncCall:
    case T_A_Expr:
    case T_TypeCast:
    case T_TypeName:
    case T_A_ArrayExpr:
    case T_SQLValueFunction: return pg::walk_parsed(node, forbids, nullptr);
    default: return true;
    }
}

static bool may_keep(const Node *statement) {
    if (!IsA(statement, SelectStmt)) return false;
    const auto *select = reinterpret_cast<const SelectStmt *>(statement);
    if (select->op != SETOP_NONE || select->fromClause != NIL || select->valuesLists != NIL ||
        select->withClause != nullptr || select->intoClause != nullptr ||
        select->lockingClause != NIL || select->whereClause != nullptr ||
        select->distinctClause != NIL || select->groupClause != NIL ||
        select->havingClause != nullptr || select->windowClause != NIL ||
        select->sortClause != NIL || select->limitOffset != nullptr ||
        select->limitCount != nullptr)
        return false;
    return !forbids(reinterpret_cast<Node *>(select->targetList), nullptr);
}

namespace {

// What an analysed statement consists of.
struct Contents {
    bool computed; // something is by planning, when all arguments are known
    bool called;   // something is whenever the statement runs
    bool params;   // whose values planning may know or not
};

} // namespace

// True for a function that forbids keeping the statement.
static bool forbids_call(Oid function, void *context) {
    auto *contents = static_cast<Contents *>(context);
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) return true;
    const auto *form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const bool immutable = form->provolatile == PROVOLATILE_IMMUTABLE;
    contents->computed = contents->computed || immutable;
    contents->called = contents->called || !immutable;
    // What is written in SQL may be put in the place of its call.
    const bool planned = immutable || form->prolang == SQLlanguageId;
    ReleaseSysCache(tuple);
    return planned && function >= FirstNormalObjectId;
}

// The same for what analysis has made of the statement.
static bool forbids_analysed(Node *node, void *context) {
    if (node == nullptr) return false;
    switch (nodeTag(node)) {
    case T_Query: return pg::walk_query(reinterpret_cast<Query *>(node), forbids_analysed, context);
    case T_SQLValueFunction: static_cast<Contents *>(context)->called = true; return false;
    case T_FuncExpr:
    case T_OpExpr:
        return check_functions_in_node(node, forbids_call, context) ||
               pg::walk_expression(node, forbids_analysed, context);
    case T_Param: static_cast<Contents *>(context)->params = true; return false;
    case T_List:
    case T_FromExpr:
    case T_TargetEntry:
    case T_Const:
    case T_NamedArgExpr:
    case T_RelabelType:
    case T_ArrayExpr: return pg::walk_expression(node, forbids_analysed, context);
    default: return true;
    }
}

static bool is_unfit(const CachedPlanSource *source) {
    Contents contents = {};
    return forbids_analysed(reinterpret_cast<Node *>(source->query_list), &contents) ||
           (contents.computed && contents.called && contents.params);
}

// The statement and its parameters are those of the command that was looked for last.
CachedPlanSource *keep_repeated(const WireCommand *command, RawStmt *statement) {
    // Analysing changes the tree: this has to be asked now.
    present.filled = present.filled && may_keep(statement->stmt);
    Seen *seen = present.filled ? find(command->sql) : nullptr;
    if (seen == nullptr || seen->unfit) return nullptr;
    // The tree is needed again when the statement is not kept.
    CachedPlanSource *source =
        make_source(command, static_cast<RawStmt *>(copyObjectImpl(statement)));
    seen->unfit = is_unfit(source);
    if (seen->unfit) {
        DropCachedPlan(source);
        return nullptr;
    }
    SaveCachedPlan(source);
    seen->source = source;
    return source;
}

void note_repeated(const WireCommand *command) {
    if (!present.filled) return;
    if (!watching) watch();
    if (find(command->sql) != nullptr) return;
    Seen *oldest = &all_seen[0];
    for (Seen &one : all_seen)
        if (one.used < oldest->used) oldest = &one;
    if (oldest->source != nullptr) DropCachedPlan(oldest->source);
    *oldest = present;
    oldest->used = ++uses;
}

} // namespace pllua_bg::session
