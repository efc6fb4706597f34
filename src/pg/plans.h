// Plans that are kept: what the server does not notice of changes that make them wrong.
// Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// To be called before a kept plan is used. A plan may hold constants of a row type,
// formed as it was defined then, and the server makes no new plan when the definition changes;
// we do. Errors: pg (memory).
void refresh_plans();

// Registers the invalidation callback. Called once from _PG_init.
void initialize_plans();

} // namespace pllua_bg::pg
