// What this floor calls upward through. Set in src/module.cpp.
#pragma once

#include "pg/server.h"

namespace pllua_bg::api {

struct Hooks {
    // The columns the running call of the language must return; nullptr when it returns no row or
    // one of unknown columns. Errors: none.
    TupleDesc (*expected_row)();
};
extern Hooks hooks;

} // namespace pllua_bg::api
