// What happens when a transaction has committed and everybody knows: its changes are visible, the
// caches of others have been told what to look up again, and its locks are released. The server's
// own callbacks for the end of a transaction come before the last two, so whoever is woken there
// may still work by what was valid before.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// Calls the function after each commit of a transaction of this process; once, however often it is
// registered. It may not raise an error, and there is no resource owner. Errors: none.
void call_after_commit(void (*function)());
// Errors: pg (memory).
void initialize_after_commit();

} // namespace pllua_bg::pg
