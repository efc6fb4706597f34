// What CREATE FUNCTION checks. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pl {

// Checks a new function for types the language cannot handle, and its text for syntax. Errors: pg
// (0A000, 42601, 42501).
void validate_function(Oid validator, Oid function, bool trusted);

} // namespace pllua_bg::pl
