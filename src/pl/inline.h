// DO blocks. Owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace pllua_bg::pl {

// Compiles and runs a block, once. Errors: pg.
void run_block(const InlineCodeBlock *block, bool trusted);

} // namespace pllua_bg::pl
