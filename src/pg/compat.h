// Differences between the server versions the project supports (15 to 19): the only place that asks
// PG_VERSION_NUM, with the compat_*.h beside it. Owns nothing; small inline functions with one
// meaning on every version.
#pragma once

#include "pg/server.h"
#include "pg/statement_options.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "postmaster/bgworker.h"
#include "replication/slot.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "tcop/cmdtag.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/rangetypes.h"
#include "utils/wait_event.h"
}

// Marks what the server looks up in the library by name. PGDLLEXPORT is empty before 16.
#define PLLUA_BG_EXPORT __attribute__((visibility("default")))

// Declares, exports and describes a function that SQL can call.
#define PLLUA_BG_SQL_FUNCTION(name)                                                                \
    extern "C" {                                                                                   \
    PLLUA_BG_EXPORT Datum name(PG_FUNCTION_ARGS);                                                  \
    PG_FUNCTION_INFO_V1_EXPORTED(name)                                                             \
    }

// PG_FUNCTION_INFO_V1 with an exported info function.
#define PG_FUNCTION_INFO_V1_EXPORTED(name)                                                         \
    PLLUA_BG_EXPORT const Pg_finfo_record *CppConcat(pg_finfo_, name)(void);                       \
    const Pg_finfo_record *CppConcat(pg_finfo_, name)(void) {                                      \
        static const Pg_finfo_record info = {1};                                                   \
        return &info;                                                                              \
    }

namespace pllua_bg::pg {

// The version of the server that this is compiled for, as server_version_num.
inline constexpr int kServerVersion = PG_VERSION_NUM;

// The present process's number in the array of PGPROCs, and the PGPROC that has a number.
// Errors: none.
inline int my_proc_number() {
#if PG_VERSION_NUM >= 170000
    return MyProcNumber;
#else
    return MyProc->pgprocno;
#endif
}

inline PGPROC *proc_by_number(int number) { return &ProcGlobal->allProcs[number]; }

// True when every worker slot of the server seems to be taken; read without a lock. Errors: none.
inline bool all_workers_are_busy() {
#if PG_VERSION_NUM >= 160000
    return dlist_is_empty(&ProcGlobal->bgworkerFreeProcs);
#else
    return ProcGlobal->bgworkerFreeProcs == nullptr;
#endif
}

// The number of the transaction a process runs, within that process; 0: none. Errors: none.
inline LocalTransactionId transaction_number(const PGPROC *proc) {
#if PG_VERSION_NUM >= 170000
    return proc->vxid.lxid;
#else
    return proc->lxid;
#endif
}

// The process that runs a transaction; 0 when it has ended. Errors: none.
inline int pid_of_transaction(const VirtualTransactionId &transaction) {
#if PG_VERSION_NUM >= 170000
    const PGPROC *proc = ProcNumberGetProc(transaction.procNumber);
#else
    const PGPROC *proc = BackendIdGetProc(transaction.backendId);
#endif
    return proc == nullptr ? 0 : proc->pid;
}

// True when this process holds the lock in this mode. Errors: none.
inline bool holds_lock(const LOCKTAG *tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return LockHeldByMe(tag, mode, false);
#else
    return LockHeldByMe(tag, mode);
#endif
}

// True when the role has the right on the object of that catalog. Errors: pg (catalog access).
inline bool has_right(Oid catalog, Oid object, Oid role, AclMode right) {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(catalog, object, role, right) == ACLCHECK_OK;
#else
    switch (catalog) {
    case NamespaceRelationId: return pg_namespace_aclcheck(object, role, right) == ACLCHECK_OK;
    case DatabaseRelationId: return pg_database_aclcheck(object, role, right) == ACLCHECK_OK;
    case ProcedureRelationId: return pg_proc_aclcheck(object, role, right) == ACLCHECK_OK;
    default: return pg_foreign_server_aclcheck(object, role, right) == ACLCHECK_OK;
    }
#endif
}

// True when the role may use the schema, the foreign server, connect to the database, call the
// function. Errors: pg (catalog access).
inline bool may_use_schema(Oid schema, Oid role) {
    return has_right(NamespaceRelationId, schema, role, ACL_USAGE);
}
inline bool may_use_server(Oid server, Oid role) {
    return has_right(ForeignServerRelationId, server, role, ACL_USAGE);
}
inline bool may_connect(Oid database, Oid role) {
    return has_right(DatabaseRelationId, database, role, ACL_CONNECT);
}
inline bool may_execute(Oid function, Oid role) {
    return has_right(ProcedureRelationId, function, role, ACL_EXECUTE);
}

// True when the role owns the database. Errors: pg (catalog access).
inline bool owns_database(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(DatabaseRelationId, database, role);
#else
    return pg_database_ownercheck(database, role);
#endif
}

// Flags for BackgroundWorkerInitializeConnectionByOid of a session, and whether a role without
// LOGIN may have one.
#if PG_VERSION_NUM >= 170000
inline constexpr uint32 kConnectFlags = BGWORKER_BYPASS_ROLELOGINCHECK;
inline constexpr bool kNeedsLogin = false;
#else
inline constexpr uint32 kConnectFlags = 0;
inline constexpr bool kNeedsLogin = true;
#endif

// Runs a portal to completion as a statement sent by a client. Errors: pg.
inline void run_portal(Portal portal, DestReceiver *receiver, QueryCompletion *completion) {
#if PG_VERSION_NUM >= 180000
    (void)PortalRun(portal, FETCH_ALL, true, receiver, receiver, completion);
#else
    (void)PortalRun(portal, FETCH_ALL, true, true, receiver, receiver, completion);
#endif
}

// The command tag as a client sees it; `buffer` has COMPLETION_TAG_BUFSIZE bytes. Errors: none.
inline void completion_text(char *buffer, const QueryCompletion *completion) {
#if PG_VERSION_NUM >= 160000
    (void)BuildQueryCompletionString(buffer, completion, false);
#else
    const char *name = GetCommandTagName(completion->commandTag);
    if (!command_tag_display_rowcount(completion->commandTag))
        pg_snprintf(buffer, COMPLETION_TAG_BUFSIZE, "%s", name);
    else if (completion->commandTag == CMDTAG_INSERT)
        pg_snprintf(buffer, COMPLETION_TAG_BUFSIZE, "%s 0 " UINT64_FORMAT, name,
                    completion->nprocessed);
    else
        pg_snprintf(buffer, COMPLETION_TAG_BUFSIZE, "%s " UINT64_FORMAT, name,
                    completion->nprocessed);
#endif
}

// Releases all cached plans that a resource owner still holds. Errors: none.
inline void release_plan_references(ResourceOwner owner) {
#if PG_VERSION_NUM >= 170000
    ReleaseAllPlanCacheRefsInOwner(owner);
#else
    ResourceOwnerReleaseAllPlanCacheRefs(owner);
#endif
}

// Analyses one statement with the parser hooks that `setup` installs. Errors: pg.
inline List *analyze_with_hooks(RawStmt *statement, const char *sql, ParserSetupHook setup,
                                void *argument) {
    return pg_analyze_and_rewrite_withcb(statement, sql, setup, argument, nullptr);
}

// Gives a portal its plans; a cached plan they belong to is released with it. Errors: none.
inline void define_portal(Portal portal, const char *sql, CommandTag tag, List *plans,
                          CachedPlan *plan) {
    PortalDefineQuery(portal, nullptr, sql, tag, plans, plan);
}

// The type of a name as SQL has it. Errors: pg (42704, 42601).
inline void parse_type_name(const char *name, Oid *type, int32 *modifier) {
#if PG_VERSION_NUM >= 160000
    (void)parseTypeString(name, type, modifier, nullptr);
#else
    parseTypeString(name, type, modifier, false);
#endif
}

// A range with these bounds, or an empty one. Errors: pg.
inline RangeType *new_range(TypeCacheEntry *type, RangeBound *lower, RangeBound *upper,
                            bool empty) {
#if PG_VERSION_NUM >= 160000
    return make_range(type, lower, upper, empty, nullptr);
#else
    return make_range(type, lower, upper, empty);
#endif
}

// Drops the temporary replication slots of this process. Errors: pg.
inline void drop_temporary_slots() {
#if PG_VERSION_NUM >= 170000
    ReplicationSlotCleanup(false);
#else
    ReplicationSlotCleanup();
#endif
}

// Wait events of the two directions of a queue.
#if PG_VERSION_NUM >= 170000
inline constexpr uint32 kWaitReceive = WAIT_EVENT_MESSAGE_QUEUE_RECEIVE;
inline constexpr uint32 kWaitSend = WAIT_EVENT_MESSAGE_QUEUE_SEND;
#else
inline constexpr uint32 kWaitReceive = WAIT_EVENT_MQ_RECEIVE;
inline constexpr uint32 kWaitSend = WAIT_EVENT_MQ_SEND;
#endif

// A set of so many events, as long as the process. Errors: pg (too many files).
inline WaitEventSet *new_wait_set(int events) {
#if PG_VERSION_NUM >= 170000
    return CreateWaitEventSet(nullptr, events);
#else
    return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

// A wait event of this name, where the server has such; else the one given.
// Errors: pg (17 on: too many names).
inline uint32 named_wait_event(const char *name, uint32 otherwise) {
#if PG_VERSION_NUM >= 170000
    (void)otherwise;
    return WaitEventExtensionNew(name);
#else
    (void)name;
    return otherwise;
#endif
}

// Walk a tree; true as soon as the walker says so. Errors: pg (stack depth), those of the walker.
using TreeWalker = bool (*)(Node *node, void *context);
#if PG_VERSION_NUM >= 160000
inline bool walk_expression(Node *node, TreeWalker walker, void *context) {
    return expression_tree_walker(node, walker, context);
}
inline bool walk_query(Query *query, TreeWalker walker, void *context) {
    return query_tree_walker(query, walker, context, 0);
}
// The same for what the parser has made. Errors: as above.
inline bool walk_parsed(Node *node, TreeWalker walker, void *context) {
    return raw_expression_tree_walker(node, walker, context);
}
#else
using OldWalker = bool (*)();
inline OldWalker old_walker(TreeWalker walker) {
    return reinterpret_cast<OldWalker>(reinterpret_cast<void *>(walker));
}
inline bool walk_expression(Node *node, TreeWalker walker, void *context) {
    return expression_tree_walker(node, old_walker(walker), context);
}
inline bool walk_query(Query *query, TreeWalker walker, void *context) {
    return query_tree_walker(query, old_walker(walker), context, 0);
}
inline bool walk_parsed(Node *node, TreeWalker walker, void *context) {
    return raw_expression_tree_walker(node, old_walker(walker), context);
}
#endif

// The index of the primary key of a table; InvalidOid: there is none. Errors: pg.
inline Oid primary_key_of(Relation table) {
#if PG_VERSION_NUM >= 180000
    return RelationGetPrimaryKeyIndex(table, false);
#else
    return RelationGetPrimaryKeyIndex(table);
#endif
}

// True for a statement that the server refuses who holds any lock: WAIT FOR, which waits for none.
// Errors: none.
inline bool runs_without_locks(const Node *statement) {
#if PG_VERSION_NUM >= 190000
    return IsA(statement, WaitStmt);
#else
    (void)statement;
    return false;
#endif
}

// True for CLUSTER, and its successors, where it commits by itself, and for WAIT, which is refused
// while anything has a snapshot. Errors: pg (options).
inline bool clusters_or_waits_alone(const Node *statement) {
    if (runs_without_locks(statement)) return true;
#if PG_VERSION_NUM >= 190000
    if (!IsA(statement, RepackStmt)) return false;
    const auto *repack = reinterpret_cast<const RepackStmt *>(statement);
    return repack->relation == nullptr || is_concurrent(repack->params);
#else
    return IsA(statement, ClusterStmt) &&
           reinterpret_cast<const ClusterStmt *>(statement)->relation == nullptr;
#endif
}

// What a callback for changes of a catalog cache gets first after its argument.
#if PG_VERSION_NUM >= 190000
using CacheId = SysCacheIdentifier;
#else
using CacheId = int;
#endif

// The least level of what this process writes to the server's log. Errors: none.
inline int &log_level() {
#if PG_VERSION_NUM >= 190000
    return log_min_messages[MyBackendType];
#else
    return log_min_messages;
#endif
}

// False where a backslash in a plain string of SQL is an escape. Errors: none.
inline bool has_standard_strings() {
#if PG_VERSION_NUM >= 190000
    return true;
#else
    return standard_conforming_strings;
#endif
}

// The setting that puts a Gather on top of plans, for debugging.
inline int debug_parallel_mode() {
#if PG_VERSION_NUM >= 160000
    return debug_parallel_query;
#else
    return force_parallel_mode;
#endif
}

// Largest length of the library name of a background worker, with its end.
inline constexpr Size kLibraryNameSize = sizeof(((BackgroundWorker *)nullptr)->bgw_library_name);

} // namespace pllua_bg::pg
