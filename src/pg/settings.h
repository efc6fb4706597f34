// The settings pllua_bg.*: their C variables and their definition.
// Owns the variables; everybody else reads them.
#pragma once

#include "pg/server.h"

struct config_generic;

namespace pllua_bg::pg {

extern int setting_max_sessions;          // sessions one backend may have at a time
extern int setting_max_sessions_per_role; // those of one role in the cluster; 0: no limit
extern int setting_max_depth;             // levels of sessions that launch sessions
extern int setting_max_result_size;       // kB of rows of one command nobody has read; 0: no limit
extern int setting_max_queued;            // commands of one session that are not done; 0: no limit
extern int setting_max_notifications;     // of one session that nobody has taken; 0: no limit
extern int setting_queue_size;            // kB of the queue of a session's results
extern int setting_launch_wait;           // milliseconds launch waits for a free worker slot
extern int setting_pool_size;     // idle sessions one backend keeps for its next launches; 0: none
extern int setting_pool_lifetime; // seconds a kept session waits to be used again; 0: none is kept
extern int setting_pool_age;      // seconds after its start a session is no longer kept
extern int setting_memory_limit;  // kB for each interpreter and what is held (held.h); 0: none

// Lua code run when an interpreter starts, in this order; null or empty: none.
extern char *setting_on_init;           // in every interpreter, with its real globals
extern char *setting_on_trusted_init;   // the same, trusted ones only
extern char *setting_on_untrusted_init; // the same, untrusted ones only
extern char *setting_on_common_init;    // in every interpreter, with the globals user code has
extern char *setting_start_proc; // name of a function run after that in trusted ones; null or empty
extern char *setting_untrusted_start_proc; // the same in untrusted ones

extern char *setting_modules;        // name of the table that has modules; null or empty: none
extern bool setting_strict;          // functions compiled now are strict (pl/strict.h)
extern bool setting_install_globals; // bg, pgtype and spi are globals
extern char *setting_interpreter_reload_ident; // what new interpreters have as _PL_IDENT

// Durable jobs (src/jobs).
extern bool setting_jobs;                // jobs run in this server
extern int setting_job_workers;          // sessions that run jobs of one database at a time
extern int setting_job_workers_per_role; // those of them for one role; 0: no limit
extern int setting_job_databases;        // databases that may have jobs at a time
extern int setting_job_linger;           // seconds a scheduler without jobs stays
extern int setting_job_idle;             // seconds a session without jobs stays
extern int setting_job_keep;             // seconds for which the history of jobs is kept
extern int setting_job_commit;           // a JobCommit: how the transactions of jobs commit
enum JobCommit : int { kInheritCommit, kAsyncCommit };

// Least and largest size of a queue, in kB.
inline constexpr int kQueueSizeMin = 4;
inline constexpr int kQueueSizeMax = 256 * 1024;

// Defines all settings, except those that are defined already, and reserves the prefix. Called from
// _PG_init, again when it has failed. Errors: pg.
void define_settings();

// The settings of pg_background by their own names. They are defined at the first call, not with
// the library: where pg_background itself is loaded, its definitions count. Errors: pg.
struct PgBackgroundSettings {
    int max_workers;        // at a time, of one backend
    int worker_timeout;     // ms; 0: none
    int default_queue_size; // bytes
};
PgBackgroundSettings pg_background_settings();

} // namespace pllua_bg::pg
