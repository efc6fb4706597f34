// A worker between two commands.
// Owns nothing.
#pragma once

#include "session/worker/worker.h"

namespace pllua_bg::session {

// One stretch of idleness. Trivial, lives in the frame of the loop.
struct Idle {
    bool begun;
    TimestampTz end; // when the session's idle timeout ends it; 0: never
    long stats_wait; // milliseconds until statistics must be reported; 0: none are waiting
    bool transaction_timer;
    bool session_timer;
};

// 'I', 'T' or 'E', as the server reports it to clients. Errors: none.
char transaction_state();
// Shows the state in pg_stat_activity and the process title; delivers notifications. Errors: pg.
void report_idle_activity();
// Serves pending interrupts; a cancel has nothing to cancel here and is dropped, a recovery
// conflict is not. Errors: pg.
void serve_interrupts();
// Sleeps until something happens; false when the session ends for idleness. Errors: pg 40P01 (the
// launcher waits for a lock of this idle transaction), timeouts of the server.
bool sleep_idle(Idle *idle);
// A streaming statement has waited for room for some time. Errors: pg 40P01 (the launcher, who
// should make room, waits for a lock of this statement).
void check_stalled();
// A command has come: stops the timers. Errors: none.
void end_idle(Idle *idle);

} // namespace pllua_bg::session
