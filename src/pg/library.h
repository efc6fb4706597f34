// Where this library is. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// The path of this library as the server has loaded it, for as long as the process lives.
// Errors: pg XX000.
const char *library_path();

// The path of another library of that name in the same folder, without the suffix, in
// CurrentMemoryContext. Errors: pg XX000.
char *library_beside(const char *name);

} // namespace pllua_bg::pg
