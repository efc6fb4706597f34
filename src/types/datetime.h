// Dates, times and intervals: what datetime.cpp needs of datetime_build.cpp. Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// The date or time that the table at idx, of fields as os.date("*t") has them, or any other value
// makes. Errors: lua.
Datum datetime_from_lua(lua_State *L, int idx, const Type *type);

} // namespace pllua_bg::types
