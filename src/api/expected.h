// What the running call has to return, asked by Lua code of the module bg. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::api {

// The columns the running call of the language must return, nullptr when it returns no row or one
// of unknown columns. Set by src/pl, which alone knows. Errors: none.
extern TupleDesc (*expected_row)();

} // namespace pllua_bg::api
