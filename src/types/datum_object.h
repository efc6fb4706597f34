// Datum objects: full userdata that hold the bytes of a server value Lua has no type for.
// Owns their metatables, one per plan, in the registry of each Lua state.
#pragma once

#include "types/helpers.h"

namespace pllua_bg::types {

// What an array object keeps beside its bytes (array.cpp).
struct ArrayState {
    int dimensions; // 0 when empty
    int length[MAXDIM];
    int low[MAXDIM];
    bool has_nulls;
    bool modified; // the first user value, a table of Lua values, has overtaken the bytes
};

// The block of the userdata. By-reference values point into the same block, so the collector sees
// all of it.
struct DatumObject {
    const Type *type; // an inner plan: never a domain's, never with a typmod
    Datum value;
    ArrayState array; // of arrays only: the block of other types ends before it
};

// The object at idx, or null. Errors: none.
DatumObject *object_at(lua_State *L, int idx);
// The object a metamethod of this floor was called with. Errors: lua.
DatumObject *check_object(lua_State *L, int idx);
// The same, of that family. Errors: lua.
DatumObject *check_object(lua_State *L, int idx, Family family, const char *expected);

// The datum of the object at idx as the type wants it, copied to CurrentMemoryContext; casts when
// the types differ. Errors: lua (42846 no cast).
Datum take_object(lua_State *L, int idx, const Type *type);
// The present value of an object, without a copy unless it is a modified array. Errors: lua.
Datum object_value(lua_State *L, int idx, const DatumObject *object);
// The bytes of a by-reference value that is not toasted. Errors: none.
Size datum_size(const Type *type, Datum value);
// An exact copy of a by-reference value in CurrentMemoryContext. Errors: lua (memory).
Datum copy_value(lua_State *L, const Type *type, Datum value);

// Casts as SQL's CAST does. Call inside pg::call. Errors: pg (42846, and what the cast raises).
// cast.cpp
Datum cast_value(const Type *from, Datum value, const Type *to);
// A value of a type with a modifier that its own function applies, as a column does. The same.
Datum cast_length(const Type *type, Datum value);
// The number or boolean at idx as a type, with its text form or an assignment cast where the type
// takes no such values itself (pg/params.h). Errors: lua (42804, 42501, 22003, 22004).
Datum take_scalar(lua_State *L, int idx, const Type *type);
// The same for the row at idx, by the casts of its row type.
Datum take_row(lua_State *L, int idx, const Type *type);

// Each family puts its metamethods into the new metatable on top of the stack. Errors: lua.
void add_numeric_metamethods(lua_State *L);
void add_datetime_metamethods(lua_State *L);
void add_array_metamethods(lua_State *L);
void add_range_metamethods(lua_State *L);
void add_jsonb_metamethods(lua_State *L);

} // namespace pllua_bg::types
