// Construction of ranges from separate bounds, for pgtype.numrange(1, 2, '[]'). Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// The range of the `count` arguments from `first` on: none for the empty range, else lower, upper
// and optional bound flags; nil is an infinite bound. Errors: lua (22000).
Datum range_of_arguments(lua_State *L, int first, int count, const Type *type);

} // namespace pllua_bg::types
