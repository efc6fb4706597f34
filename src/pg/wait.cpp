// Waiting: polling with sched_yield, then the latch.
// Owns nothing.
#include "pg/wait.h"

#include <sched.h>

extern "C" {
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::pg {

bool poll_again(Poll *poll) {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    if (!poll->begun) {
        poll->begun = true;
        poll->start = now;
    }
    INSTR_TIME_SUBTRACT(now, poll->start);
    if (INSTR_TIME_GET_MICROSEC(now) >= static_cast<uint64>(kPollMicroseconds)) return false;
    (void) sched_yield();
    return true;
}

bool wait_latch_only(long timeout, uint32 event) {
    int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
    if (timeout >= 0) events |= WL_TIMEOUT;
    int reached = WaitLatch(MyLatch, events, timeout, event);
    ResetLatch(MyLatch);
    return (reached & WL_LATCH_SET) != 0;
}

bool wait_latch(long timeout, uint32 event) {
    bool set = wait_latch_only(timeout, event);
    CHECK_FOR_INTERRUPTS();
    return set;
}

long milliseconds_until(TimestampTz deadline) {
    TimestampTz now = GetCurrentTimestamp();
    if (deadline <= now) return 0;
    int64 rest = (deadline - now + 999) / 1000;
    return rest > INT_MAX ? INT_MAX : static_cast<long>(rest);
}

} // namespace pllua_bg::pg
