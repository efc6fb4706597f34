// Backends that wait for a worker slot tell so by a lock in the server's lock table, which all hold
// together; whoever keeps a worker that has nothing to do looks for it. Who has waited longer holds
// more of such locks, by which those who wait know whose turn it is. Works without shared memory of
// our own. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::session {

// From now to end_slot_wait() this backend is seen to wait, and to have waited for so many seconds
// before; an error ends it too, with the subtransaction. Errors: pg (out of shared memory).
void begin_slot_wait(double waited);
void end_slot_wait();

// While this backend waits: false when another has waited so much longer that a slot is his.
// Errors: pg (out of shared memory).
bool is_next_in_line();

// True when another process waits for a slot. Errors: pg (memory).
bool is_slot_awaited();

} // namespace pllua_bg::session
