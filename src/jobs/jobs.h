// Durable jobs, as the floors above see them: announcing, waiting, and what the one scheduler of a
// database may do. Owns nothing. What it rests on exists only where the library was preloaded and
// pllua_bg.jobs is on.
#pragma once

#include "session/session.h"

namespace pllua_bg::jobs {

// The extension whose tables these are.
inline constexpr char kExtension[] = "pllua_bg_jobs";

// Raises unless jobs can run in this server. Errors: pg 55000.
void check_running();

// Raises unless this database has jobs. Errors: pg 55000.
void check_tables();

// A row of bg.job was inserted, or, with a negative id, one of bg.job_order; 0: look at everything.
// The scheduler of this database learns of it when the transaction commits, not when it, or the
// subtransaction, rolls back. Errors: pg 55000; 53400 (pllua_bg.job_databases).
void announce(int64 id);
// This transaction has committed, and all others know: the scheduler is told. Errors: none.
void tell_of_committed();

// This process is the scheduler of its database. Errors: none.
bool is_scheduler();
// This process runs a session that the scheduler of its database has launched. Errors: none.
bool is_launched_by_scheduler();

// When the server was started, if it had not been stopped cleanly before; 0: it had. Errors: none.
TimestampTz crash_time();

// For the scheduler.

inline constexpr int64 kNoRescan = PG_INT64_MAX;
struct Announced {
    int64 *ids; // valid until the next call
    int count;
    // There is more: jobs from this id on, 0: anything; kNoRescan: there is not.
    int64 rescan_from;
    bool reloaded; // settings may have changed
};
// Takes what has been announced; serves a reload of the configuration, too. Errors: pg 42501 (this
// is no scheduler), 57P01 (it is asked to leave).
Announced take_announced();
// True when there is something for take_announced(). Static.
const session::Condition *announcement();
// True when nothing is announced, and nothing that is prepared may still bring jobs: from now on
// this is no scheduler any more, another one is started when it is needed. Errors: pg.
bool retire();
// Tells who waits for this job what has become of it: a state as in bg.job_done. Errors: none.
void settle_waiters(int64 job, char state);

// Waiting for the end of a job. The order is: begin_wait(), then look whether it has ended already,
// then wait. A wait ends with the subtransaction that has begun it.
struct Waiter {
    int slot;
    uint64 number; // 0: none
};
// Errors: pg 55000, 53400 (too many wait).
Waiter begin_wait(int64 job);
void end_wait(const Waiter *waiter);
// '\0': not ended, as far as is known; else its state, or kLookAgain: the tables have to be looked
// into again, and the wait be begun anew. Errors: none.
inline constexpr char kLookAgain = '?';
char outcome(const Waiter *waiter);
// It is over when there is an outcome. The waiter has to stay where it is.
session::Condition ended(Waiter *waiter);

// Called once from _PG_init: hooks, callbacks, shared memory, the launcher.
void initialize();

} // namespace pllua_bg::jobs
