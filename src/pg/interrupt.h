// Learning of a cancel or a shutdown the moment its signal arrives, without counting instructions.
// Owns the chain of this process's signal handlers for SIGINT, SIGTERM, SIGUSR1 and SIGALRM.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// Puts our handlers before the server's, once per process; true when it was not done yet. They call
// hooks.notice_interrupt after the server's own handler. Errors: none.
bool watch_interrupts();

} // namespace pllua_bg::pg
