// Waiting: polling with sched_yield, then the latch.
// Owns nothing.
#include "pg/wait.h"

#include <sched.h>

#include "pg/compat.h"

extern "C" {
#include "storage/latch.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::pg {

namespace {

// Polling helps when the answer comes from another processor. When both processes share one, or the
// machine is busy, it only delays the other side: each poll in vain makes the next ones rarer, the
// first success brings them back.
constexpr int kMostSkipped = 32;
int in_vain;    // polls in a row that ended by time
int to_skip;    // waits to come that do not poll
bool undecided; // a poll has begun and did not end by time: it succeeded if another one begins

bool begin_poll() {
    if (undecided) in_vain = 0;
    undecided = false;
    if (to_skip > 0) {
        to_skip--;
        return false;
    }
    undecided = true;
    return true;
}

void end_poll_in_vain() {
    undecided = false;
    in_vain = Min(in_vain + 1, 5);
    to_skip = Min((1 << in_vain) - 2, kMostSkipped);
}

uint32 events[] = {
    WAIT_EVENT_BGWORKER_STARTUP, kWaitReceive,      kWaitSend,         WAIT_EVENT_CLIENT_READ,
    WAIT_EVENT_BGWORKER_STARTUP, PG_WAIT_EXTENSION, PG_WAIT_EXTENSION, PG_WAIT_EXTENSION};

constexpr int kWatched = 3;

// The socket that was waited for last is watched until it is another one.
struct Watched {
    WaitEventSet *set;
    int socket;
    int place;
    bool writing;
};
Watched watched;

void watch(int socket, bool writing) {
    const uint32 wanted = writing ? WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
    if (watched.set != nullptr && watched.socket == socket) {
        if (watched.writing != writing)
            ModifyWaitEvent(watched.set, watched.place, wanted, nullptr);
        watched.writing = writing;
        return;
    }
    if (watched.set != nullptr) FreeWaitEventSet(watched.set);
    watched = {nullptr, -1, 0, false};
    watched.set = new_wait_set(kWatched);
    (void)AddWaitEventToSet(watched.set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    (void)AddWaitEventToSet(watched.set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    watched.place = AddWaitEventToSet(watched.set, wanted, socket, nullptr, nullptr);
    watched.socket = socket;
    watched.writing = writing;
}

} // namespace

bool poll_again(Poll *poll) {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    if (!poll->begun) {
        // How long that takes says nothing about later polls.
        if (!poll->waking && !begin_poll()) return false;
        poll->begun = true;
        poll->start = now;
    }
    INSTR_TIME_SUBTRACT(now, poll->start);
    const int64 most = poll->waking ? kWakeMicroseconds : kPollMicroseconds;
    if (static_cast<int64>(INSTR_TIME_GET_MICROSEC(now)) >= most) {
        if (!poll->waking) end_poll_in_vain();
        return false;
    }
    (void)sched_yield();
    return true;
}

void name_wait_events() {
    static const char *const names[] = {"PlluaBgStart",   "PlluaBgResult", "PlluaBgRoom",
                                        "PlluaBgCommand", "PlluaBgCommit", "PlluaBgJobs",
                                        "PlluaBgRemote"};
    static bool named = false;
    if (named) return;
    for (Size i = 0; i < lengthof(names); i++) events[i] = named_wait_event(names[i], events[i]);
    named = true;
}

bool wait_latch_only(long timeout, WaitEvent event) {
    int wanted = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
    if (timeout >= 0) wanted |= WL_TIMEOUT;
    int reached = WaitLatch(MyLatch, wanted, timeout, events[static_cast<int>(event)]);
    ResetLatch(MyLatch);
    return (reached & WL_LATCH_SET) != 0;
}

SocketNews wait_socket_only(int socket, bool writing, long timeout, WaitEvent event) {
    watch(socket, writing);
    ::WaitEvent news[kWatched];
    const int n =
        WaitEventSetWait(watched.set, timeout, news, kWatched, events[static_cast<int>(event)]);
    SocketNews result = {false, false};
    for (int i = 0; i < n; i++) {
        result.latch = result.latch || (news[i].events & WL_LATCH_SET) != 0;
        result.socket = result.socket || news[i].pos == watched.place;
    }
    if (result.latch) ResetLatch(MyLatch);
    return result;
}

bool wait_latch(long timeout, WaitEvent event) {
    // What only the look-ups before this wait needed holds nothing back meanwhile.
    InvalidateCatalogSnapshotConditionally();
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
