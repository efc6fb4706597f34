// A small table of statements by their texts. See known_statements.h for the contracts.
#include "jobs/known_statements.h"

extern "C" {
#include "common/hashfn.h"
#include "utils/guc.h"
#include "utils/inval.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr Size kLongest = 8192;
constexpr uint32 kEntries = 64;

struct Known {
    MemoryContext context; // of what follows; nullptr: an empty entry
    uint64 generation;
    char *sql;
    char *search_path;
    Oid user;
    bool transaction;
    int count;
    Oid *own;
    Oid *resolved;
};
Known entries[kEntries];
// Goes up with each change of a relation, function, type or schema.
uint64 generation = 1;
// When the last statement was looked for that is analysed now.
uint64 looked_at;

void notice_relation(Datum, Oid) { generation++; }
void notice_object(Datum, int, uint32) { generation++; }

void register_callbacks() {
    static bool done = false;
    if (done) return;
    CacheRegisterSyscacheCallback(PROCOID, notice_object, 0);
    CacheRegisterSyscacheCallback(TYPEOID, notice_object, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, notice_object, 0);
    CacheRegisterRelcacheCallback(notice_relation, 0);
    done = true;
}

Known *entry_of(const char *sql) {
    const auto *bytes = reinterpret_cast<const unsigned char *>(sql);
    return &entries[hash_bytes(bytes, static_cast<int>(strlen(sql))) % kEntries];
}

const char *present_path() { return GetConfigOption("search_path", false, false); }

bool is_same(const Known *entry, const char *sql, bool transaction, const Args *args) {
    if (entry->context == nullptr || entry->generation != generation ||
        strcmp(entry->sql, sql) != 0 || entry->transaction != transaction ||
        entry->count != args->count || entry->user != GetUserId() ||
        strcmp(entry->search_path, present_path()) != 0)
        return false;
    for (int i = 0; i < args->count; i++)
        if (entry->own[i] != args->own[i].type) return false;
    return true;
}

} // namespace

bool find_known(const char *sql, bool transaction, const Args *args, pg::ParamTypes *types) {
    if (strlen(sql) > kLongest) return false;
    register_callbacks();
    AcceptInvalidationMessages();
    looked_at = generation;
    const Known *entry = entry_of(sql);
    if (!is_same(entry, sql, transaction, args)) return false;
    *types = {};
    types->count = args->count;
    types->resolved = entry->resolved;
    return true;
}

void remember(const char *sql, bool transaction, const Args *args, const pg::ParamTypes *types) {
    if (strlen(sql) > kLongest || args->count > 100) return;
    MemoryContext context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg statement of jobs", ALLOCSET_SMALL_SIZES);
    const Size size = sizeof(Oid) * static_cast<Size>(args->count) + 1;
    Known known = {context,     looked_at,   nullptr, nullptr, GetUserId(),
                   transaction, args->count, nullptr, nullptr};
    known.sql = MemoryContextStrdup(context, sql);
    known.search_path = MemoryContextStrdup(context, present_path());
    known.own = static_cast<Oid *>(MemoryContextAlloc(context, size));
    known.resolved = static_cast<Oid *>(MemoryContextAlloc(context, size));
    for (int i = 0; i < args->count; i++) {
        known.own[i] = args->own[i].type;
        known.resolved[i] = types->resolved[i];
    }
    Known *entry = entry_of(sql);
    if (entry->context != nullptr) MemoryContextDelete(entry->context);
    *entry = known;
}

} // namespace pllua_bg::jobs
