// Calls hooks.commit_is_known when a transaction has committed and everybody knows: its changes are
// visible, the caches of others have been told what to look up again, and its locks are released.
// The server's own callbacks for the end of a transaction come before the last two, so whoever is
// woken there may still work by what was valid before.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// Errors: pg (memory).
void initialize_after_commit();

} // namespace pllua_bg::pg
