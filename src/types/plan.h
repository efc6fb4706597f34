// The compiled plan of a type, as the files of this floor see it; types.h is the outside view.
// Owns nothing; the plans belong to plan.cpp.
#pragma once

#include "types/types.h"

namespace pllua_bg::types {

enum class Family : uint8 {
    kVoid,
    kBool,
    kInteger,
    kFloat,
    kText, // every type whose Lua value is a string
    kNumeric,
    kDatetime,
    kArray,
    kRow,
    kRange,
    kJsonb,
    kOther,
};

// Pushes the Lua value of a datum that is not null. Errors: lua.
using Pusher = void (*)(lua_State *L, const Type *type, Datum value);
// Makes the datum of a Lua value that is not nil, in CurrentMemoryContext. idx is absolute. Errors:
// lua.
using Taker = Datum (*)(lua_State *L, int idx, const Type *type);

struct EnumLabels; // enum.cpp

// Plans of a domain or with a typmod only wrap another plan, `inner`; every other plan has typmod
// -1 and is its own inner.
struct Type {
    Oid oid;
    int32 typmod;
    Family family;
    bool is_domain;
    bool by_value;
    bool stale; // pg_type has changed since; lookup() makes or confirms a plan
    char align;
    char delimiter;
    int16 length;
    Pusher push;
    Taker take;
    const Type *inner;
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

// The plan, from the cache when it is there and fresh. Errors: lua (42704).
const Type *find(lua_State *L, Oid oid, int32 typmod);
// The plan of the elements of an array, or of a range's bounds. Errors: lua.
const Type *element_of(lua_State *L, const Type *type);
// Counts the changes of any type or schema: what was found by name is good while this and the
// search path stay the same.
uint64 catalog_generation();
// The context in which plans and what they cache live. Call inside pg::call.
MemoryContext plan_context();

// The families' parts; each pusher and taker follows the contracts above.
// scalar.cpp
void push_void(lua_State *L, const Type *type, Datum value);
Datum take_void(lua_State *L, int idx, const Type *type);
void push_bool(lua_State *L, const Type *type, Datum value);
Datum take_bool(lua_State *L, int idx, const Type *type);
void push_int2(lua_State *L, const Type *type, Datum value);
Datum take_int2(lua_State *L, int idx, const Type *type);
void push_int4(lua_State *L, const Type *type, Datum value);
Datum take_int4(lua_State *L, int idx, const Type *type);
void push_int8(lua_State *L, const Type *type, Datum value);
Datum take_int8(lua_State *L, int idx, const Type *type);
void push_oid(lua_State *L, const Type *type, Datum value);
Datum take_oid(lua_State *L, int idx, const Type *type);
void push_float4(lua_State *L, const Type *type, Datum value);
Datum take_float4(lua_State *L, int idx, const Type *type);
void push_float8(lua_State *L, const Type *type, Datum value);
Datum take_float8(lua_State *L, int idx, const Type *type);
// text.cpp
void push_text(lua_State *L, const Type *type, Datum value);
Datum take_text(lua_State *L, int idx, const Type *type);
void push_cstring(lua_State *L, const Type *type, Datum value); // cstring, unknown and name
Datum take_cstring(lua_State *L, int idx, const Type *type);
void push_char(lua_State *L, const Type *type, Datum value);
Datum take_bytea(lua_State *L, int idx, const Type *type);
// refcursor.cpp
void push_refcursor(lua_State *L, const Type *type, Datum value);
Datum take_refcursor(lua_State *L, int idx, const Type *type);
// enum.cpp
void push_enum(lua_State *L, const Type *type, Datum value);
void forget_labels(); // an enum label changed somewhere
// numeric.cpp, datetime_build.cpp, array_build.cpp, composite.cpp, range.cpp, json_write.cpp
Datum take_numeric(lua_State *L, int idx, const Type *type);
Datum take_datetime(lua_State *L, int idx, const Type *type);
Datum take_array(lua_State *L, int idx, const Type *type);
void push_composite(lua_State *L, const Type *type, Datum value);
Datum take_composite(lua_State *L, int idx, const Type *type);
Datum take_range(lua_State *L, int idx, const Type *type);
Datum take_json(lua_State *L, int idx, const Type *type);
// datum_object.cpp
void push_object(lua_State *L, const Type *type, Datum value);
Datum take_generic(lua_State *L, int idx, const Type *type);
// domain.cpp
void push_inner(lua_State *L, const Type *type, Datum value);
Datum take_domain(lua_State *L, int idx, const Type *type);
Datum take_with_typmod(lua_State *L, int idx, const Type *type);
// Checks the constraints of a domain. Errors: lua (23502, 23514).
void check_domain(lua_State *L, const Type *type, Datum value, bool isnull);

} // namespace pllua_bg::types
