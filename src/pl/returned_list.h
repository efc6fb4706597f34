// Whether what a set function returns is a list of its rows, or one row. Owns nothing.
#pragma once

#include "pl/result.h"

namespace pllua_bg::pl {

// Lists can be told from values of the result where no table is one, or of a row type the first
// column. In other row types only an empty one, and a result of spi.execute, is a list.
// Errors: pg (catalog access).
ListRule find_list_rule(const Result *result);

// How many rows the table at idx is a list of: a table with nothing but places, or a result. -1:
// it is a row by itself. Errors: lua (interrupts).
lua_Integer list_length(lua_State *L, int idx, const Result *result);

} // namespace pllua_bg::pl
