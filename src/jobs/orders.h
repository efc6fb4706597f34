// What others want to become of jobs, and what has become of them. Owns nothing: all memory is the
// caller's.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

enum class Order { kCancel, kRetry, kRun };

// Gives the scheduler an order when this transaction commits; nobody waits for anybody. False when
// it is too late: the job has ended (of kRetry: it waits or runs, and is not waiting for a retry).
// Errors: pg 42704, 42501 (no member of its role), 55000 (no jobs here; retry of what is done).
bool give_order(int64 id, Order order);

// What is known of a job.
struct Ending {
    bool living;
    bool own;     // of this transaction, which nobody else sees yet
    char state;   // as in bg.job_done, when it is not living
    bool retries; // living, and has failed before
    Jsonb *result;
    Jsonb *error; // the last
};
// As of now, also in a transaction with an older snapshot. Errors: pg 42704, 42501.
void look_at_job(int64 id, Ending *ending);
// Waits for its end; its state, or '\0' after `timeout` seconds (negative: none). Errors: pg 55000
// (submitted by this transaction), 42704, 42501, interrupts.
char wait_for_job(int64 id, double timeout);
// Raises the error of a job.
[[noreturn]] void raise_job_error(int64 id, Jsonb *error);
// The word for a state.
const char *state_word(char state);

// Whether this is the database that the queue is of, and not a copy.
bool is_at_home();
// It is, where nothing is known of that: a job is submitted for the first time. Call with SPI and a
// snapshot. Two who do so at once do not wait for each other.
void settle_home_at_first();
// Makes it that, and finds the owners of jobs by their names.
void adopt();
// Lets no job start, or lets them again.
void pause(bool paused);
// Makes or changes a queue. Nulls leave what there is. Errors: pg 22023.
void set_queue(const char *name, const int *workers, const bool *paused, const char *keep);

} // namespace pllua_bg::jobs
