// What all backends share about jobs, there only where jobs can run: for each database that has
// jobs a ring, by which the scheduler learns of them; and who waits for the end of a job. Owns the
// layout of that memory.
#pragma once

#include "jobs/jobs.h"

extern "C" {
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
}

namespace pllua_bg::jobs {

inline constexpr uint32 kRingSize = 4096;
// Of Ring::rescan_from, besides kNoRescan.
inline constexpr int64 kAll = 0;

// One that has no scheduler and nothing to say may be taken for another database.
struct Ring {
    slock_t mutex;     // guards what follows; the database changes with the area's lock held, too
    Oid database;      // InvalidOid: free
    int scheduler_pid; // 0: there is none
    int scheduler_number;
    int64 rescan_from; // the least id of jobs that the ring does not tell of; or one of the above
    bool leaving;      // the scheduler is asked to end
    TimestampTz away;  // no scheduler is started before that
    int failures;      // schedulers that have failed in a row
    uint32 schedulers; // that there have been
    uint32 first;      // of the ids, modulo the size
    uint32 count;
    int64 ids[kRingSize];
};

struct WaitSlot {
    uint64 number; // 0: free; this and what follows up to the state: with the area's lock held
    int64 job;
    Oid database;
    Oid role; // of the session that waits
    int proc_number;
    pg_atomic_uint32 state; // as outcome() has it
};

struct Area {
    LWLock *lock; // guards which ring a database has, and the waits
    bool crashed; // before this start of the server
    TimestampTz started;
    pg_atomic_uint32 launcher; // 1 + its number in the array of PGPROCs; 0: there is none
    pg_atomic_uint32 probe;    // 1: some database may have jobs that no ring tells of
    uint64 last_wait;
    int nslots;
    pg_atomic_uint32 top; // behind the last slot that is taken
    WaitSlot *slots;
    int nrings;
    Ring *rings;
};

// nullptr where jobs cannot run.
extern Area *area;
void initialize_area();

// The ring of a database; where it has none one is taken for it, if `take`. nullptr: there is none,
// or no free one. Errors: none.
Ring *ring_of(Oid database, bool take);
// Call with its mutex, or as a hint. Errors: none.
inline bool has_news(const Ring *ring) { return ring->count > 0 || ring->rescan_from != kNoRescan; }
// True when a scheduler is to be started for it, now or later. Call with its mutex. Errors: none.
inline bool is_wanted(const Ring *ring) {
    return OidIsValid(ring->database) && ring->scheduler_pid == 0 && has_news(ring);
}
// A scheduler has failed: the next one is started after a pause that grows. Call with its mutex.
void postpone(Ring *ring, TimestampTz now);
// Puts ids, and from where a rescan is needed, into the ring of a database and wakes its scheduler,
// or else the launcher. Errors: none.
struct News {
    const int64 *ids;
    int count;
    int64 rescan_from;
};
void publish(Oid database, const News &news);

void wake(int proc_number);
void wake_launcher();
// The launcher is to look into all databases. Errors: none.
void probe_databases();

// announce.cpp

void initialize_announcements();
// At the commit of this transaction everything is to be looked at; or all databases, whether they
// have jobs. Errors: none.
void announce_rescan();
void announce_probe();
// There is no ring for this database. Errors: by the level.
void refuse_ring(int level);

// waiters.cpp

// All who wait for jobs of this database look again. Errors: none.
void recheck_waiters();
void initialize_waiters();

// utility_hook.cpp

void initialize_utility_hook();

// launcher.cpp

void initialize_launcher();

// home.cpp

// A subscription was made or changed: where it brings jobs this is no longer the database that the
// queue is of. Call in a transaction. Errors: pg.
void note_subscription();

// scheduler.cpp

// What the launcher starts: the function, and its type in pg_stat_activity.
inline constexpr char kSchedulerFunction[] = "pllua_bg_scheduler_main";
inline constexpr char kLauncherFunction[] = "pllua_bg_jobs_launcher_main";
inline constexpr char kWorkersType[] = "pllua_bg jobs";

// This process is the scheduler of its database from now on; false when there is one already, or no
// ring. Errors: pg.
bool become_scheduler();
// It is none any more, and another one is to be started. Errors: none.
enum class End {
    kAsked,  // not before Ring::away
    kKilled, // after a second
    kFailed, // after a pause that grows
};
void resign(End end);
// What has been announced until now means nothing. Errors: none.
void drop_news();
// True when there is no news: it is none any more, and nobody is needed in its place. Errors: none.
bool leave_if_silent();
// It was asked to leave. Errors: none.
bool is_asked_to_leave();

// presence.cpp: what there is in this database. Call in a transaction; uses SPI. Errors: pg.

// The extension is there, and what the scheduler uses belongs to it: whoever owns a database may
// make a schema with such a procedure and such a table.
bool has_extension();
// Raises when it is not of the version that the library goes with. Errors: pg 55000.
void check_version();
bool has_jobs();
bool has_prepared_transactions();

// settings.cpp

// Remembers the settings of the server. Call before the process connects.
void remember_settings();
// Undoes what connecting has set for the database and for roles, and what is not good for a
// scheduler: its owner could make a superuser's process run his code. Call in a transaction.
void settle_settings();

} // namespace pllua_bg::jobs
