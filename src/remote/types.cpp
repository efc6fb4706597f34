// The table of types of another server. See types.h.
//
// The name of a type cannot be asked for when a column of it comes: its rows do, and nothing else
// until they are all read. So all names are read when the session begins, in the round trip of its
// settings, as other clients do it.
#include "remote/types.h"

#include "pg/encoding.h"
#include "remote/state.h"

extern "C" {
#include "utils/hsearch.h"
}

namespace pllua_bg::remote {

namespace {

// Of an array the names are those of its elements. What is in the search_path there makes no
// difference.
constexpr char kSelectTypes[] =
    "select t.oid, pg_catalog.quote_ident(n.nspname),"
    " pg_catalog.quote_ident(coalesce(e.typname, t.typname)), e.oid is not null"
    " from pg_catalog.pg_type t"
    " left join pg_catalog.pg_type e on e.typarray operator(pg_catalog.=) t.oid"
    " join pg_catalog.pg_namespace n"
    " on n.oid operator(pg_catalog.=) coalesce(e.typnamespace, t.typnamespace)"
    " left join pg_catalog.pg_class c"
    " on c.oid operator(pg_catalog.=) coalesce(e.typrelid, t.typrelid)"
    " where t.oid operator(pg_catalog.>=) 16384"
    " and (c.relkind is null or c.relkind operator(pg_catalog.=) 'c')";

struct Type {
    TypeId type; // the key
    char *name;  // nullptr: a column had it, and it was not among those that were read
};

// Of those that are read: the type, its schema and its own name, whether it is an array.
constexpr int kParts = 4;
// As long as the two names of a type can be, with quotes and what is between them.
constexpr Size kMostName = 4 * NAMEDATALEN + 16;

HTAB *table;
bool is_stale;

Type *enter(TypeId type, bool *found) {
    if (table == nullptr) {
        HASHCTL control = {};
        control.keysize = sizeof(TypeId);
        control.entrysize = sizeof(Type);
        table = hash_create("pllua_bg remote types", 64, &control, HASH_ELEM | HASH_BLOBS);
    }
    auto *entry = static_cast<Type *>(hash_search(table, &type, HASH_ENTER, found));
    if (!*found) entry->name = nullptr;
    return entry;
}

// Nobody knows what is at the other end: what is no type is left out.
void take_type(Result *result, int row) {
    const char *parts[kParts];
    for (int i = 0; i < kParts; i++) {
        int length;
        parts[i] = i < result->columns() ? result->value(row, i, &length) : nullptr;
        if (parts[i] == nullptr) return;
    }
    char *name = psprintf("%s.%s%s", pg::valid_text(parts[1]), pg::valid_text(parts[2]),
                          *parts[3] == 't' ? "[]" : "");
    if (strlen(name) > kMostName) return;
    bool found;
    Type *entry = enter(static_cast<TypeId>(strtoul(parts[0], nullptr, 10)), &found);
    if (entry->name == nullptr || strcmp(entry->name, name) != 0) {
        char *old = entry->name;
        entry->name = MemoryContextStrdup(TopMemoryContext, name);
        if (old != nullptr) pfree(old);
    }
    pfree(name);
}

// The rows of the first statement; nobody wants those of another.
void take_types() {
    ErrorData *error = nullptr;
    bool is_first = true;
    for (;;) {
        Result *result = await_plain_result();
        const Outcome outcome = result->outcome();
        if (outcome == Outcome::kNothing) break;
        if (outcome == Outcome::kError && error == nullptr) error = read_error(result);
        if (outcome != Outcome::kSomeRows && outcome != Outcome::kLastRows) continue;
        for (int i = 0; is_first && i < result->rows(); i++) take_type(result, i);
        if (outcome == Outcome::kLastRows) is_first = false;
    }
    if (error != nullptr) ThrowErrorData(error);
}

bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

} // namespace

void read_types(const char *next) {
    is_stale = false; // what fails would fail again
    begin(state.connection->send(psprintf("%s; %s", kSelectTypes, next)));
    take_types();
}

bool are_types_to_follow() { return is_stale && transaction_state() == 'I'; }

void follow_types() {
    if (are_types_to_follow()) read_types("");
}

void note_statement(const char *tag) {
    if (!begins_with(tag, "CREATE ") && !begins_with(tag, "ALTER ")) return;
    const char *what = strchr(tag, ' ') + 1;
    constexpr const char *kKinds[] = {"TYPE", "DOMAIN", "EXTENSION", "SCHEMA"};
    for (const char *kind : kKinds) is_stale = is_stale || strcmp(what, kind) == 0;
}

const char *type_name(TypeId type) {
    if (type < FirstNormalObjectId) return nullptr;
    bool found;
    const Type *entry = enter(type, &found);
    is_stale = is_stale || !found;
    return entry->name;
}

} // namespace pllua_bg::remote
