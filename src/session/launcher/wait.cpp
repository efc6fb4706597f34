// Waiting for commands of any number of sessions, and for conditions, at once.
// Owns nothing.
#include "pg/wait.h"

#include "pg/compat.h"
#include "pg/held.h"
#include "session/launcher/launcher.h"
#include "session/launcher/tuple_reader.h"

extern "C" {
#include "storage/proc.h"
}

namespace pllua_bg::session {

namespace {

// When a wait ends, and when it has to look for a deadlock.
struct Deadlines {
    bool limited;
    TimestampTz end;
    TimestampTz look;
};

Deadlines make_deadlines(double timeout) {
    TimestampTz now = GetCurrentTimestamp();
    Deadlines deadlines;
    deadlines.limited = timeout >= 0;
    deadlines.end = now + static_cast<int64>(Min(timeout, 1e9) * 1e6);
    deadlines.look = now + DeadlockTimeout * static_cast<int64>(1000);
    return deadlines;
}

// Sleeps until something may have happened; false when the time is over.
bool sleep_once(Deadlines *deadlines, const WaitFor *commands, int n) {
    long rest = deadlines->limited ? pg::milliseconds_until(deadlines->end) : INT_MAX;
    if (rest == 0) return false;
    long look = pg::milliseconds_until(deadlines->look);
    if (look > 0) {
        (void)pg::wait_latch(Min(rest, look), pg::WaitEvent::kResult);
        return true;
    }
    bool waited = offer_deadlock_edge(commands, n, rest);
    TimestampTz now = GetCurrentTimestamp();
    deadlines->look = waited ? now : now + DeadlockTimeout * static_cast<int64>(1000);
    return true;
}

// True when the wait for it would end at once.
bool is_over(const WaitFor *wait) {
    if (wait->condition != nullptr) return wait->condition->is_true(wait->condition->argument);
    if (wait->id == kAnyNotification) return has_notification(wait->session);
    OwnCommand *own = find_command(wait->session, wait->id);
    if (own == nullptr || own->state != CommandState::kPending) return true;
    if (!wait->rows) return false;
    return wait->reader == nullptr ? own->statements.first != nullptr
                                   : reader_has_row(wait->reader);
}

int first_settled(const WaitFor *commands, int n) {
    for (int i = 0; i < n; i++)
        if (is_over(&commands[i])) return i;
    return kTimedOut;
}

int look(const WaitFor *commands, int n, const uint64 *seen) {
    receive_all();
    const int settled = first_settled(commands, n);
    if (settled >= 0) return settled;
    for (int i = 0; i < n; i++)
        if (commands[i].session != nullptr && is_full(commands[i].session)) pg::check_held(0);
    return seen != nullptr && *seen != notifications_arrived() ? kNews : kTimedOut;
}

// The rows of this command and of those sent before it may not wait in the queue any more: what
// comes behind them is wanted, be they ever so many. Commands end in the order they were sent, so
// the pending ones are the last.
void stop_streaming(OwnCommand *own) {
    for (; own != nullptr && own->state == CommandState::kPending; own = own->before)
        own->streaming = false;
}

void stop_streaming_before(const WaitFor *wait) {
    if (wait->session == nullptr) return;
    OwnCommand *own = find_command(wait->session, wait->id);
    stop_streaming(wait->rows && own != nullptr ? own->before : own);
}

// A worker that was asleep in the pool is about to answer.
bool is_any_waking(const WaitFor *commands, int n) {
    for (int i = 0; i < n; i++) {
        const Session *session = commands[i].session;
        const LocalLink *local = session == nullptr ? nullptr : session->local;
        if (local != nullptr && local->pool_state == PoolState::kWaking) return true;
    }
    return false;
}

// Workers that are being started take long, and need the processor.
bool are_all_starting(const WaitFor *commands, int n) {
    for (int i = 0; i < n; i++)
        if (commands[i].session == nullptr || commands[i].session->life != Life::kStarting)
            return false;
    return true;
}

} // namespace

int wait_any(const WaitFor *commands, int n, double timeout, const uint64 *seen) {
    for (int i = 0; i < n; i++) stop_streaming_before(&commands[i]);
    int found = look(commands, n, seen);
    if (found != kTimedOut || timeout == 0) return found;
    CHECK_FOR_INTERRUPTS();
    pg::Poll poll = {};
    poll.waking = is_any_waking(commands, n);
    const bool starting = are_all_starting(commands, n);
    while (found == kTimedOut && !starting && pg::poll_again(&poll))
        found = look(commands, n, seen);
    if (found != kTimedOut) return found;
    Deadlines deadlines = make_deadlines(timeout);
    while (found == kTimedOut && sleep_once(&deadlines, commands, n))
        found = look(commands, n, seen);
    return found;
}

} // namespace pllua_bg::session
