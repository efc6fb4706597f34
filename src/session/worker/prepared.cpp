// Prepared statements of a session: analysed once, planned by the server's plan cache, which also
// analyses them again when what they depend on has changed. Owns them, by number. Follows
// exec_parse_message and exec_bind_message in src/backend/tcop/postgres.c.
#include "session/worker/worker.h"

#include "pg/held.h"
#include "pg/params.h"

extern "C" {
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

struct Kept {
    uint32 number; // the key
    CachedPlanSource *source;
    const CachedPlan *generic; // the plan for all values when `counted` was set
    Size counted;              // bytes in pg::held
};

HTAB *kept; // made by the first statement
Size kept_bytes;

void make_table() {
    HASHCTL control = {};
    control.keysize = sizeof(uint32);
    control.entrysize = sizeof(Kept);
    kept = hash_create("pllua_bg prepared statements", 16, &control, HASH_ELEM | HASH_BLOBS);
}

// How many parameters the statement has, and their types: at least the declared ones.
int settle_types(const CommandMessage *command, pg::ParamTypes *types) {
    int count = types->count;
    while (count > 0 && types->place[count - 1] == nullptr && types->weak[count - 1]) count--;
    for (int i = 0; i < count; i++)
        if (types->resolved[i] == UNKNOWNOID) types->resolved[i] = command->params[i].type;
    return count;
}

Size size_of(const CachedPlanSource *source) {
    Size size = sizeof(Kept) + MemoryContextMemAllocated(source->context, true);
    if (source->gplan != nullptr) size += MemoryContextMemAllocated(source->gplan->context, true);
    return size;
}

void recount(Kept *entry, Size now) {
    const auto grown = static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(entry->counted);
    entry->counted = now;
    kept_bytes += static_cast<Size>(grown);
    pg::hold(grown);
}

void check_kept(Size more) {
    if (pg::take_held_room(more)) return;
    ereport(ERROR,
            (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("memory limit exceeded"),
             errdetail("The background session keeps %ld prepared statements, which take %zu kB.",
                       kept == nullptr ? 0L : hash_get_num_entries(kept), kept_bytes / 1024),
             errhint("Close statements that are no longer needed, or increase "
                     "pllua_bg.memory_limit.")));
}

// A plan for all values is made by some run; it stays.
void count_plan(uint32 number) {
    auto *entry = static_cast<Kept *>(
        kept == nullptr ? nullptr : hash_search(kept, &number, HASH_FIND, nullptr));
    if (entry == nullptr || entry->generic == entry->source->gplan) return;
    entry->generic = entry->source->gplan;
    recount(entry, size_of(entry->source));
}

// The values as the statement wants them.
ParamListInfo bind(const CachedPlanSource *source, const CommandMessage *command) {
    if (command->nparams != static_cast<uint32>(source->num_params))
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                        errmsg("wrong number of parameters: expected %d, got %u",
                               source->num_params, command->nparams)));
    if (source->num_params == 0) return nullptr;
    check_param_types(command);
    ParamListInfo list = makeParamList(source->num_params);
    for (int i = 0; i < source->num_params; i++) {
        list->params[i].ptype = source->param_types[i];
        pg::bind_param(&command->params[i], &list->params[i]);
    }
    return list;
}

// An analysed statement, in the current memory context until SaveCachedPlan.
CachedPlanSource *make_source(const CommandMessage *command, RawStmt *statement) {
    CachedPlanSource *source =
        CreateCachedPlan(statement, command->sql, CreateCommandTag(statement->stmt));
    const bool snapshot = push_snapshot_to_analyze(command, statement);
    check_param_types(command);
    pg::ParamTypes types;
    pg::init_param_types(&types, static_cast<int>(command->nparams), command->params);
    List *queries = pg::analyze_with_params(statement, command->sql, &types);
    if (snapshot) PopActiveSnapshot();
    CompleteCachedPlan(source, queries, nullptr, types.resolved, settle_types(command, &types),
                       nullptr, nullptr, CURSOR_OPT_PARALLEL_OK, false);
    return source;
}

} // namespace

CachedPlanSource *prepared_statement(uint32 number) {
    auto *found = static_cast<Kept *>(
        kept == nullptr ? nullptr : hash_search(kept, &number, HASH_FIND, nullptr));
    if (found == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_SQL_STATEMENT_NAME),
                        errmsg("prepared statement of the background session does not exist")));
    return found->source;
}

void keep_statement(const CommandMessage *command, RawStmt *statement) {
    check_kept(0);
    CachedPlanSource *source = make_source(command, statement);
    check_kept(size_of(source));
    if (kept == nullptr) make_table();
    auto *entry = static_cast<Kept *>(hash_search(kept, &command->statement, HASH_ENTER, nullptr));
    entry->source = source;
    entry->generic = nullptr;
    entry->counted = 0;
    SaveCachedPlan(source);
    recount(entry, size_of(source));
}

CachedPlan *plan_prepared(CachedPlanSource *source, const CommandMessage *command,
                          ParamListInfo *bound) {
    *bound = keep_params_text(bind(source, command));
    CachedPlan *plan = GetCachedPlan(source, *bound, nullptr, nullptr);
    if (command->statement != 0) count_plan(command->statement);
    return plan;
}

void forget_statement(uint32 number) {
    if (kept == nullptr) return;
    auto *entry = static_cast<Kept *>(hash_search(kept, &number, HASH_FIND, nullptr));
    if (entry == nullptr) return;
    recount(entry, 0);
    DropCachedPlan(entry->source);
    (void)hash_search(kept, &number, HASH_REMOVE, nullptr);
}

void forget_all_statements() {
    if (kept == nullptr) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, kept);
    while (auto *entry = static_cast<Kept *>(hash_seq_search(&scan))) {
        recount(entry, 0);
        DropCachedPlan(entry->source);
    }
    hash_destroy(kept);
    kept = nullptr;
}

} // namespace pllua_bg::session
