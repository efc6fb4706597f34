// The statement of a job before it is accepted. See statement.h for the contracts.
#include "jobs/statement.h"

#include "jobs/args.h"
#include "jobs/known_statements.h"
#include "pg/compat.h"
#include "pg/compat_json.h"
#include "pg/guard.h"
#include "pg/params.h"
#include "pg/statement_options.h"
#include "pg/subxact.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr uint32 kMostArgs = 65535; // as a statement has

KnownStatements submitted_lately;

// 'schema.fn', each part quoted where SQL would need it.
bool is_function_name(const char *text, List **names) {
    return SplitIdentifierString(pstrdup(text), '.', names) && list_length(*names) == 2;
}

// True when all of that name are procedures.
bool is_procedure(List *names) {
    const char *name = static_cast<char *>(lsecond(names));
    const Oid schema = LookupExplicitNamespace(static_cast<char *>(linitial(names)), true);
    CatCList *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
    int functions = 0, procedures = 0;
    for (int i = 0; i < list->n_members; i++) {
        const auto *row = reinterpret_cast<Form_pg_proc>(GETSTRUCT(&list->members[i]->tuple));
        if (row->pronamespace != schema) continue;
        (row->prokind == PROKIND_PROCEDURE ? procedures : functions)++;
    }
    ReleaseCatCacheList(list);
    return procedures > 0 && functions == 0;
}

void refuse_args(const char *hint) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("args of a job must be an array of JSON"), errhint("%s", hint)));
}

// The values of an object in the order of its keys; these are appended as names of arguments.
Jsonb *number_args(Jsonb *object, StringInfo call) {
    pg::JsonbDraft draft = {};
    (void)pg::push_jsonb(&draft, WJB_BEGIN_ARRAY);
    JsonbIterator *iterator = JsonbIteratorInit(&object->root);
    JsonbValue item;
    JsonbIteratorToken token;
    int count = 0;
    while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE) {
        if (token == WJB_KEY) {
            const char *name = quote_identifier(string_of(&item));
            appendStringInfo(call, "%s%s => $%d", count == 0 ? "" : ", ", name, count + 1);
            count++;
        } else if (token == WJB_VALUE) {
            (void)pg::push_jsonb(&draft, WJB_ELEM, &item);
        }
    }
    return JsonbValueToJsonb(pg::push_jsonb(&draft, WJB_END_ARRAY));
}

bool commits_by_itself(const ReindexStmt *statement) {
    if (pg::is_concurrent(statement->params)) return true;
    return statement->kind != REINDEX_OBJECT_INDEX && statement->kind != REINDEX_OBJECT_TABLE;
}

bool detaches_concurrently(const AlterTableStmt *statement) {
    ListCell *cell;
    foreach (cell, statement->cmds) {
        const auto *command = static_cast<AlterTableCmd *>(lfirst(cell));
        if (command->subtype != AT_DetachPartition) continue;
        if (reinterpret_cast<const PartitionCmd *>(command->def)->concurrent) return true;
    }
    return false;
}

bool moves_database(const AlterDatabaseStmt *statement) {
    return pg::text_option(statement->options, "tablespace", nullptr) != nullptr;
}

bool refuses_transaction(const Node *statement) {
    switch (nodeTag(statement)) {
    case T_VacuumStmt: return reinterpret_cast<const VacuumStmt *>(statement)->is_vacuumcmd;
    case T_IndexStmt: return reinterpret_cast<const IndexStmt *>(statement)->concurrent;
    case T_DropStmt: return reinterpret_cast<const DropStmt *>(statement)->concurrent;
    case T_ReindexStmt: return commits_by_itself(reinterpret_cast<const ReindexStmt *>(statement));
    case T_AlterTableStmt:
        return detaches_concurrently(reinterpret_cast<const AlterTableStmt *>(statement));
    case T_AlterDatabaseStmt:
        return moves_database(reinterpret_cast<const AlterDatabaseStmt *>(statement));
    case T_DiscardStmt:
        return reinterpret_cast<const DiscardStmt *>(statement)->target == DISCARD_ALL;
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterSystemStmt: return true;
    default: return pg::clusters_or_waits_alone(statement);
    }
}

// Raises for what no job can be.
void check_kind(const Node *statement, bool transaction) {
    if (IsA(statement, TransactionStmt))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("a job has no transaction commands"),
                 errhint("A procedure may commit, called by a job of transaction = false.")));
    if (IsA(statement, CopyStmt) &&
        reinterpret_cast<const CopyStmt *>(statement)->filename == nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a job cannot copy from or to a client")));
    if (IsA(statement, ListenStmt) || IsA(statement, UnlistenStmt))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a job cannot listen"),
                        errdetail("Nobody would receive what comes.")));
    if (transaction && refuses_transaction(statement))
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("%s cannot run inside a transaction block",
                               GetCommandTagName(CreateCommandTag(const_cast<Node *>(statement)))),
                        errhint("Submit it with the option transaction = false.")));
}

void check_fits(const Args *args, const pg::ParamTypes *types) {
    for (int i = 0; i < args->count; i++)
        if (types->place[i] == nullptr)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the statement of the job does not use argument %d", i + 1)));
}

// What this session alone has, the one that runs the job has not.
void check_lasts(const Known *known) {
    if (!uses_temporary(known)) return;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("a job cannot use a temporary table of the session that submits it"),
             errhint("Another session runs the job. Use an ordinary or unlogged table; one of "
                     "the same name must be named with its schema.")));
}

// The text is not that of the statement that calls us: its positions are told with it.
void tell_position(void *sql) {
    const int position = geterrposition();
    if (position <= 0) return;
    errposition(0);
    internalerrposition(position);
    internalerrquery(static_cast<const char *>(sql));
}

Known *analyse_text(const char *sql, const Args *args, MemoryContext memory) {
    SPI_connect();
    Known *known = prepare_known(sql, args, memory);
    check_fits(args, &known->types);
    check_lasts(known);
    keep_known(&submitted_lately, known, sql);
    SPI_finish();
    return known;
}

// Whoever submits waits for nobody and keeps nobody waiting: locks of the analysis go with a
// subtransaction, and where one is not to be had the first run will tell. nullptr then.
const Known *analyse(const char *sql, const Args *args) {
    MemoryContext memory = CurrentMemoryContext;
    const Known *known = nullptr;
    pg::Subtransaction own;
    pg::begin_subtransaction(&own);
    ErrorData *error = pg::attempt([=, &known] {
        (void)set_config_option("lock_timeout", "1ms", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                                true, ERROR, false);
        known = analyse_text(sql, args, memory);
    });
    ErrorData *failed = pg::end_subtransaction(&own, false);
    if (error == nullptr) error = failed;
    if (error == nullptr) return known;
    if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE) pg::rethrow(error);
    pg::free_error(error);
    return nullptr;
}

// Analyses what can be; nullptr: its arguments are looked at when it runs.
const Known *check_text(const char *sql, bool transaction, const Args *args) {
    List *parsed = pg_parse_query(sql);
    if (parsed == NIL)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a job needs a statement")));
    ListCell *cell;
    foreach (cell, parsed) check_kind(static_cast<RawStmt *>(lfirst(cell))->stmt, transaction);
    const bool can_be = list_length(parsed) == 1 &&
                        analyze_requires_snapshot(static_cast<RawStmt *>(linitial(parsed)));
    return can_be ? analyse(sql, args) : nullptr;
}

} // namespace

void resolve_statement(const char *sql, Jsonb *args, Statement *statement) {
    List *names;
    const bool is_name = is_function_name(sql, &names);
    const bool is_scalar = args != nullptr && JB_ROOT_IS_SCALAR(args);
    const bool by_name = args != nullptr && JB_ROOT_IS_OBJECT(args);
    if (is_scalar) refuse_args("Write [1, \"two\"]: element n is the value of $n.");
    if (args != nullptr && JB_ROOT_COUNT(args) > kMostArgs)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job has at most %u arguments", kMostArgs)));
    *statement = {sql, args != nullptr && JB_ROOT_COUNT(args) > 0 ? args : nullptr};
    if (!is_name) {
        if (by_name && statement->args != nullptr)
            refuse_args("Only a function that is given as 'schema.name' takes arguments by name.");
        return;
    }
    StringInfoData call;
    initStringInfo(&call);
    appendStringInfo(&call, "%s %s(", is_procedure(names) ? "call" : "select * from",
                     quote_qualified_identifier(static_cast<char *>(linitial(names)),
                                                static_cast<char *>(lsecond(names))));
    if (statement->args != nullptr && by_name) {
        statement->args = number_args(args, &call);
    } else if (statement->args != nullptr) {
        for (uint32 i = 1; i <= JB_ROOT_COUNT(args); i++)
            appendStringInfo(&call, "%s$%u", i == 1 ? "" : ", ", i);
    }
    appendStringInfoChar(&call, ')');
    statement->sql = call.data;
}

void check_statement(const Statement *statement, bool transaction) {
    Args args;
    read_args(statement->args, &args);
    const Known *known = find_known(&submitted_lately, statement->sql, &args);
    if (known == nullptr) {
        ErrorContextCallback position = {error_context_stack, tell_position,
                                         const_cast<char *>(statement->sql)};
        error_context_stack = &position;
        known = check_text(statement->sql, transaction, &args);
        error_context_stack = position.previous;
    }
    if (known != nullptr) (void)bind_args(&args, &known->types);
}

} // namespace pllua_bg::jobs
