// Lua tables that are parameters, in the process that runs the statement. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pl {

// The hooks of the same names of pg::Hooks, for tables from types::to_portable. They start an
// interpreter of the current user when there is none, without its start-up code. Errors: pg.
Oid own_type_of_table(Datum table);
Datum convert_table(Datum table, Oid type, bool *isnull);

} // namespace pllua_bg::pl
