// Values that are wanted as another type than their own. Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// The datum of any Lua value that the family of the type does not see to itself: a string by the
// input function, an object of the same type as it is, everything else by a cast.
// Errors: lua (42804, 42846, 42501, 22003, 22004, what the input function raises).
Datum generic_from_lua(lua_State *L, int idx, const Type *type);
// The datum of the object at idx as the type wants it, copied to CurrentMemoryContext; casts when
// the types differ. Errors: lua (42846 no cast).
Datum object_from_lua(lua_State *L, int idx, const Type *type);
// A value of a type with a modifier that its own function applies, as a column does. Call inside
// pg::call. Errors: pg (42846, and what the cast raises).
Datum cast_length(const Type *type, Datum value);

} // namespace pllua_bg::types
