// A small table of statements by their texts. See known_statements.h for the contracts.
#include "jobs/known_statements.h"

extern "C" {
#include "common/hashfn.h"
#include "utils/guc.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr Size kLongest = 8192;
constexpr uint32 kEntries = 64;

struct Known {
    MemoryContext context; // of texts and types; nullptr: an empty entry
    SPIPlanPtr plan;
    char *sql;
    char *search_path;
    Oid user;
    int count;
    Oid *own;
    Oid *resolved;
};
Known entries[kEntries];

Known *entry_of(const char *sql) {
    const auto *bytes = reinterpret_cast<const unsigned char *>(sql);
    return &entries[hash_bytes(bytes, static_cast<int>(strlen(sql))) % kEntries];
}

const char *present_path() { return GetConfigOption("search_path", false, false); }

bool is_same(const Known *entry, const char *sql, const Args *args) {
    if (entry->context == nullptr || strcmp(entry->sql, sql) != 0 || entry->count != args->count ||
        entry->user != GetUserId() || strcmp(entry->search_path, present_path()) != 0)
        return false;
    for (int i = 0; i < args->count; i++)
        if (entry->own[i] != args->own[i].type) return false;
    return SPI_plan_is_valid(entry->plan);
}

void forget(Known *entry) {
    if (entry->context == nullptr) return;
    SPI_freeplan(entry->plan);
    MemoryContextDelete(entry->context);
    *entry = {};
}

} // namespace

bool find_known(const char *sql, const Args *args, pg::ParamTypes *types) {
    const Known *entry = entry_of(sql);
    if (!is_same(entry, sql, args)) return false;
    *types = {};
    types->count = args->count;
    types->resolved = entry->resolved;
    return true;
}

void remember(const char *sql, const Args *args, const pg::ParamTypes *types, SPIPlanPtr plan) {
    if (strlen(sql) > kLongest || args->count > 100) return;
    Known *entry = entry_of(sql);
    forget(entry);
    MemoryContext context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg statement of jobs", ALLOCSET_SMALL_SIZES);
    const Size size = sizeof(Oid) * static_cast<Size>(args->count) + 1;
    Known known = {context, plan, nullptr, nullptr, GetUserId(), args->count, nullptr, nullptr};
    known.sql = MemoryContextStrdup(context, sql);
    known.search_path = MemoryContextStrdup(context, present_path());
    known.own = static_cast<Oid *>(MemoryContextAlloc(context, size));
    known.resolved = static_cast<Oid *>(MemoryContextAlloc(context, size));
    for (int i = 0; i < args->count; i++) {
        known.own[i] = args->own[i].type;
        known.resolved[i] = types->resolved[i];
    }
    (void)SPI_keepplan(plan);
    *entry = known;
}

} // namespace pllua_bg::jobs
