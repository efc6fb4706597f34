// Waiting: first by polling for a few microseconds, then on the process latch.
// Owns nothing. A wake-up across cores costs some 40 us, so an answer that comes at once is worth
// polling for.
#pragma once

#include "pg/server.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace pllua_bg::pg {

// How long to poll before sleeping.
inline constexpr int64 kPollMicroseconds = 50;

// A poll in progress. Trivial, lives in the frame of the waiter.
struct Poll {
    instr_time start;
    bool begun;
};

// Yields the processor once; false when the time for polling is over. Errors: none.
bool poll_again(Poll *poll);

// Sleeps until the latch is set or `timeout` milliseconds are over (negative: no limit), resets the
// latch and serves interrupts. `event` is a wait event of the server. Returns false on timeout.
// Errors: pg (interrupts).
bool wait_latch(long timeout, uint32 event);

// The same without serving interrupts. Errors: none.
bool wait_latch_only(long timeout, uint32 event);

// Milliseconds until `deadline`, at least 0. Errors: none.
long milliseconds_until(TimestampTz deadline);

} // namespace pllua_bg::pg
