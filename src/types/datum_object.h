// Datum objects: full userdata that hold the bytes of a server value Lua has no type for.
// Owns their metatables, one per plan, in the registry of each Lua state.
#pragma once

#include "types/helpers.h"

namespace pllua_bg::types {

// The block of the userdata. By-reference values point into the same block, so the collector sees
// all of it.
struct DatumObject {
    const Type *type; // an inner plan: never a domain's, never with a typmod
    Datum value;
};

// The object at idx, or null. Errors: none.
DatumObject *object_at(lua_State *L, int idx);
// The object a metamethod of this floor was called with. Errors: lua.
DatumObject *check_object(lua_State *L, int idx);
// The same, of that family. Errors: lua.
DatumObject *check_object(lua_State *L, int idx, const Family &family);

// The present value of an object, without a copy unless it is a modified array. Errors: lua.
Datum object_value(lua_State *L, int idx, DatumObject *object);
// Pushes an object: the Lua value of every type that Lua has none for. Errors: lua.
void push_object(lua_State *L, const Type *type, Datum value);
// The bytes of a by-reference value that is not toasted. Errors: none.
Size datum_size(const Type *type, Datum value);
// An exact copy of a by-reference value in CurrentMemoryContext. Errors: lua (memory).
Datum copy_value(lua_State *L, const Type *type, Datum value);

} // namespace pllua_bg::types
