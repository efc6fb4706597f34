// What is counted about sessions: for the cluster when the library was preloaded, else for this
// backend. Owns the counts of this backend that others do not see yet.
#pragma once

#include "pg/server.h"

namespace pllua_bg::session {

// In the order of the columns of bg.stat. What comes later is appended: an extension that has not
// been updated yet has fewer columns.
enum class Counter : int {
    kLaunched,       // workers registered for sessions
    kReused,         // sessions taken from the pool
    kJobs,           // workers registered by on_commit
    kLaunchFailures, // launches that raised, for work after the commit as well
    kLost,           // workers that ended while their launcher still had the session
    kCommands,       // sent
    kErrors,         // of commands, received, or counted where the work after the commit is done
    kDeadlocks,      // of these: 40P01
    kCancels,        // of commands, asked for
    kRows,           // received
    kBytes,          // of messages received
    // After stats_reset:
    kNoSlot,        // of kLaunchFailures: 53000
    kCancelled,     // of kErrors: 57014
    kCommitErrors,  // of kErrors: of work after the commit
    kOtherDatabase, // of kLaunched and kReused: in another database
    kOtherServer,   // the same: on another server
};
inline constexpr int kCounters = 16;
inline constexpr int kCountersBeforeReset = 11;

// Adds to a counter; others see it when the transaction has ended. Errors: none.
void count(Counter counter, uint64 n = 1);
// Counts an error of a command. Errors: none.
void count_error(int sqlstate);
// Lets others see what was counted. Errors: none.
void publish_counts();

struct Counts {
    uint64 values[kCounters];
    TimestampTz reset;
    bool shared; // of the cluster
};
// Errors: none.
Counts read_counts();
void reset_counts();

void initialize_statistics();

} // namespace pllua_bg::session
