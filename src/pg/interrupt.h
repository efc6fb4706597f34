// Learning of a cancel or a shutdown the moment its signal arrives, without counting instructions.
// Owns the chain of this process's signal handlers for SIGINT, SIGTERM, SIGUSR1 and SIGALRM.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// Called in the signal handler, after the server's own handler, when InterruptPending is set:
// async-signal-safe functions only.
using InterruptNotice = void (*)();

// Puts our handlers before the server's, once per process; true when it was not done yet. Errors:
// none.
bool watch_interrupts(InterruptNotice notice);

} // namespace pllua_bg::pg
