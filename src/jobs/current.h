// The job that this worker runs, and what its code has said of its future. Owns the one there is.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

struct CurrentJob {
    int64 id; // 0: none
    int attempt;
    bool transaction;
    TimestampTz snooze_until; // 0: not wanted
    const char *discard;      // why; nullptr: not wanted. In memory of the transaction
};
extern CurrentJob current_job;

// What a job may know of itself; nullptr: none runs here. Errors: pg.
Jsonb *describe_current();
// True when somebody wants the job to be cancelled. Errors: pg.
bool is_cancelled();
// What is asked for is done when the job has ended without an error; the last call counts. Errors:
// pg 55000 (no job, or one of transaction = false), 22023.
void snooze(const Interval *delay);
void discard(const char *why);

// What a step of this job has returned; false: it is not done. Errors: pg 55000 (no job, or one in
// a transaction), 22023.
bool find_step(const char *name, Jsonb **result);
// It is done when this transaction commits. Errors: as find_step(); 40001 (the job has ended).
void keep_step(const char *name, Jsonb *result);

// The next command of this session is that job, of transaction = false, with its settings.
// 'gone' or nullptr. Errors: as run_job().
const char *begin_outside(int64 id, int attempt);
// Runs a job and its completion in the current transaction. next_at: of one that recurs.
// 'done', 'gone', 'snoozed <seconds since 1970>', 'discarded'. Errors: pg 42501 (this is no session
// of the scheduler; the job of another role), and those of the job.
const char *run_job(int64 id, int attempt, const TimestampTz *next_at);

} // namespace pllua_bg::jobs
