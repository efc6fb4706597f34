// The compiled plan of a type, as the files of this floor see it; types.h is the outside view.
// Owns nothing; the plans belong to plan.cpp.
#pragma once

#include "types/family.h"
#include "types/types.h"

namespace pllua_bg::types {

struct EnumLabels; // enum.cpp

// Of a plan whose values are transformed; functions as in transform.h, without fn_oid where there
// is none.
struct Transforms {
    const Type *plain; // converts without them
    FmgrInfo from_sql[2];
    FmgrInfo to_sql[2];
};

// Plans of a domain or with a typmod only wrap another plan, `inner`; every other plan has typmod
// -1 and is its own inner.
struct Type {
    Oid oid;
    int32 typmod;
    TypeKind kind;
    const Family *family; // what its values are: of a domain or with a modifier, that of `inner`
    bool by_value;
    bool stale; // pg_type has changed since; lookup() makes or confirms a plan
    char align;
    char delimiter;
    int16 length;
    decltype(Family::to_lua) to_lua;
    decltype(Family::from_lua) from_lua;
    decltype(Family::take_plain) take_plain;
    decltype(Family::check_null) check_null;
    const Type *inner;
    Transforms *transforms; // null: none
    FmgrInfo input;
    FmgrInfo output;
    Oid io_param;
    FmgrInfo length_cast;        // coerces to typmod; fn_oid is invalid when there is none
    Oid element_oid;             // of an array, or the subtype of a range
    mutable const Type *element; // its plan; read it with element_of()
    TypeCacheEntry *cache;       // of rows and ranges, and of anything compared; permanent
    mutable bool compare_known;
    mutable void *domain_state; // domain_check's own, of the user and the transaction
    mutable Oid domain_user;
    mutable LocalTransactionId domain_transaction;
    mutable EnumLabels *labels; // enums
    uint32 hash;                // of the pg_type row in the syscache
    Oid relation;               // typrelid
    Oid array_oid;
};

inline bool is_domain(const Type *type) { return type->kind == TypeKind::kDomain; }
// A table is one value of the type, never a dimension of an array.
inline bool takes_tables(const Type *type) {
    return type->transforms != nullptr || type->family->takes_tables;
}
// The plan, from the cache when it is there and fresh. Errors: lua (42704).
const Type *find(lua_State *L, Oid oid, int32 typmod);
// The plan of the elements of an array, or of a range's bounds. Errors: lua.
const Type *element_of(lua_State *L, const Type *type);
// Counts the changes of any type or schema: what was found by name is good while this and the
// search path stay the same.
uint64 catalog_generation();
// The context in which plans and what they cache live. Call inside pg::call.
MemoryContext plan_context();

// The first rule that is for a type tells its family. Keeps the table.
// Called once from initialize().
void use_families(const FamilyRule *rules, size_t count);

} // namespace pllua_bg::types
