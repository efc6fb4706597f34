// Waiting: first by polling for a few microseconds, then on the process latch.
// Owns nothing. A wake-up across cores costs some 40 us, so an answer that comes at
// once is worth polling for.
#pragma once

#include "pg/server.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace pllua_bg::pg {

// How long to poll before sleeping; and when the other process has to wake up first, which takes
// about that long.
inline constexpr int64 kPollMicroseconds = 50;
inline constexpr int64 kWakeMicroseconds = 150;

// A poll in progress. Trivial, lives in the frame of the waiter.
struct Poll {
    instr_time start;
    bool begun;
    bool waking; // to be set by the caller: the other process is just being woken
};

// Yields the processor once; false when the time for polling is over. Errors: none.
bool poll_again(Poll *poll);

// What a process waits for, as pg_stat_activity shows it: by a name of our own from PostgreSQL 17
// on, by the most similar event of the server before.
enum class WaitEvent : int {
    kStart,   // PlluaBgStart: a worker slot, or the start of a worker
    kResult,  // PlluaBgResult: something from a session
    kRoom,    // PlluaBgRoom: room in a queue
    kCommand, // PlluaBgCommand: the worker of a session waits for a command
    kCommit,  // PlluaBgCommit: a job waits for the transaction that registered it
    kJobs,    // PlluaBgJobs: the launcher of jobs, for something to do; a scheduler is to go
    kRemote,  // PlluaBgRemote: another server
    kFault    // a fault point of a test build
};

// Gives the events their names. To be called once in each process that waits. Errors: pg.
void name_wait_events();

// Sleeps until the latch is set or `timeout` milliseconds are over (negative: no limit), resets the
// latch and serves interrupts. Returns false on timeout. Errors: pg (interrupts).
bool wait_latch(long timeout, WaitEvent event);

// The same without serving interrupts. Errors: none.
bool wait_latch_only(long timeout, WaitEvent event);

// The same, or until something can be read from the socket, or `writing` written to it. The socket
// may not be closed and another opened between two calls. Errors: pg (the first time for a socket).
struct SocketNews {
    bool latch;
    bool socket;
};
SocketNews wait_socket_only(int socket, bool writing, long timeout, WaitEvent event);

// Milliseconds until `deadline`, at least 0. Errors: none.
long milliseconds_until(TimestampTz deadline);

} // namespace pllua_bg::pg
