// The settings pllua_bg.*: defaults, limits, descriptions, each once in a table.
// Owns their C variables.
#include "pg/settings.h"

#include "pg/hooks.h"

#include "pg/compat_settings.h"
#include "pg/compat_shared.h"
#include "pg/fault.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace pllua_bg::pg {

namespace {

// The library was loaded at the start of the server.
bool is_preloaded = false;

// Where no memory is shared nobody counts the sessions of other backends: who sets the limit is
// told.
bool check_role_limit(int *value, void **, GucSource source) {
    if (*value == 0 || is_preloaded || kHasNamedSegments || source < PGC_S_TEST ||
        MyBgworkerEntry != nullptr)
        return true;
    ereport(WARNING, (errmsg("pllua_bg.max_sessions_per_role has no effect"),
                      errhint("The library pllua_bg must be in shared_preload_libraries.")));
    return true;
}

// Loading that has failed once, for want of memory, is done again;
// the server defines nothing twice.
bool is_defined(const char *name) {
    const struct config_generic *setting = find_setting(name);
    return setting != nullptr && !(setting->flags & GUC_CUSTOM_PLACEHOLDER);
}

void assign_pool_size(int value, void *) { hooks.pool_size_changes(value); }

// Settings of pllua that have no effect here.
bool no_check_for_interrupts;
int no_prebuilt_interpreters;
double no_extra_gc_multiplier;
double no_extra_gc_threshold;

struct Number {
    const char *name;
    int *variable;
    int initial, least, most;
    GucContext context;
    int unit; // GUC_UNIT_*; 0: none
    const char *description;
    const char *more = nullptr;
    GucIntCheckHook check = nullptr;
    GucIntAssignHook assign = nullptr;
};

constexpr Number kNumbers[] = {
    {"pllua_bg.max_sessions", &setting_max_sessions, 16, 0, 1000, PGC_SUSET, 0,
     "Sets the maximum number of background sessions of one backend."},
    {"pllua_bg.max_sessions_per_role", &setting_max_sessions_per_role, 0, 0, INT_MAX, PGC_SUSET, 0,
     "Sets the maximum number of background sessions that run as one role.",
     "0 means no limit. Before PostgreSQL 17 needs pllua_bg in shared_preload_libraries.",
     check_role_limit},
    {"pllua_bg.max_depth", &setting_max_depth, 4, 1, 100, PGC_SUSET, 0,
     "Sets how many levels of background sessions may launch one another.",
     "1 means that a background session launches none."},
    {"pllua_bg.max_result_size", &setting_max_result_size, 0, 0, MAX_KILOBYTES, PGC_SUSET,
     GUC_UNIT_KB, "Sets the maximum size of a result of a background session.",
     "0 means no limit. Rows that are read while they come do not count."},
    {"pllua_bg.max_queued", &setting_max_queued, 200000, 0, INT_MAX, PGC_SUSET, 0,
     "Sets how many commands a background session may have to do.", "0 means no limit."},
    {"pllua_bg.max_notifications", &setting_max_notifications, 10000, 0, INT_MAX, PGC_SUSET, 0,
     "Sets how many notifications of a background session are kept.",
     "The oldest are dropped. 0 means no limit."},
    {"pllua_bg.queue_size", &setting_queue_size, 256, kQueueSizeMin, kQueueSizeMax, PGC_USERSET,
     GUC_UNIT_KB, "Sets the size of the queue of a background session's results."},
    {"pllua_bg.launch_wait", &setting_launch_wait, 5000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
     "Sets how long the launch of a session waits for a free worker slot."},
    {"pllua_bg.pool_size", &setting_pool_size, 2, 0, 100, PGC_SUSET, 0,
     "Sets how many idle sessions one backend keeps to use them again.", "0 keeps none.", nullptr,
     assign_pool_size},
    {"pllua_bg.pool_lifetime", &setting_pool_lifetime, 3, 0, 86400, PGC_SUSET, GUC_UNIT_S,
     "Sets how long a session that is kept waits to be used again.", "0 keeps none."},
    {"pllua_bg.pool_age", &setting_pool_age, 3600, 0, 7 * 86400, PGC_SUSET, GUC_UNIT_S,
     "Sets how old a session may be that is used again."},
    {"pllua_bg.memory_limit", &setting_memory_limit, 1024 * 1024, 0, MAX_KILOBYTES, PGC_SUSET,
     GUC_UNIT_KB, "Sets the memory limit of each interpreter.", "0 means no limit."},
    {"pllua_bg.job_workers", &setting_job_workers, 4, 1, 1000, PGC_SIGHUP, 0,
     "Sets how many background sessions run the jobs of one database."},
    {"pllua_bg.job_workers_per_role", &setting_job_workers_per_role, 0, 0, 1000, PGC_SIGHUP, 0,
     "Sets how many of them run the jobs of one role.", "0 means no limit of its own."},
    {"pllua_bg.job_databases", &setting_job_databases, 64, 1, 10000, PGC_POSTMASTER, 0,
     "Sets how many databases may have jobs at a time."},
    {"pllua_bg.job_linger", &setting_job_linger, 60, 0, 86400, PGC_SIGHUP, GUC_UNIT_S,
     "Sets how long the scheduler of a database that has no jobs stays."},
    {"pllua_bg.job_idle", &setting_job_idle, 10, 1, 86400, PGC_SIGHUP, GUC_UNIT_S,
     "Sets how long a session that has no jobs to run stays."},
    {"pllua_bg.job_keep", &setting_job_keep, 7 * 86400, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_S,
     "Sets how long the history of jobs is kept."},
    {"pllua_bg.prebuilt_interpreters", &no_prebuilt_interpreters, 1, 0, 10, PGC_SIGHUP, 0,
     "Has no effect: interpreters are made when they are needed."},
};

struct Flag {
    const char *name;
    bool *variable;
    const char *description;
    bool initial = true;
    GucContext context = PGC_SUSET;
};

constexpr Flag kFlags[] = {
    {"pllua_bg.install_globals", &setting_install_globals,
     "Makes the modules bg, pgtype and spi globals of new interpreters."},
    {"pllua_bg.check_for_interrupts", &no_check_for_interrupts,
     "Has no effect: Lua code can always be interrupted."},
    {"pllua_bg.strict", &setting_strict,
     "Refuses global variables that are not declared, in functions that are compiled from now on.",
     false, PGC_USERSET},
    {"pllua_bg.jobs", &setting_jobs, "Runs the jobs of this server.", true, PGC_POSTMASTER},
};

constexpr struct config_enum_entry kJobCommits[] = {
    {"inherit", kInheritCommit, false}, {"async", kAsyncCommit, false}, {nullptr, 0, false}};

struct Real {
    const char *name;
    double *variable;
    double most;
};

constexpr Real kReals[] = {
    {"pllua_bg.extra_gc_multiplier", &no_extra_gc_multiplier, 1e6},
    {"pllua_bg.extra_gc_threshold", &no_extra_gc_threshold, 9007199254740992.0},
};

struct Text {
    const char *name;
    char **variable;
    const char *description;
    GucContext context = PGC_SUSET;
};

constexpr Text kTexts[] = {
    {"pllua_bg.on_init", &setting_on_init, "Lua code to run first when any interpreter starts."},
    {"pllua_bg.on_trusted_init", &setting_on_trusted_init,
     "Lua code to run when a trusted interpreter starts."},
    {"pllua_bg.on_untrusted_init", &setting_on_untrusted_init,
     "Lua code to run when an untrusted interpreter starts."},
    {"pllua_bg.on_common_init", &setting_on_common_init,
     "Lua code to run last when any interpreter starts, with the globals of user code."},
    {"pllua_bg.start_proc", &setting_start_proc,
     "Function in language pllua_bg to call when a trusted interpreter has started."},
    {"pllua_bg.untrusted_start_proc", &setting_untrusted_start_proc,
     "Function in language pllua_bgu to call when an untrusted interpreter has started."},
    {"pllua_bg.modules", &setting_modules,
     "Table with columns name and source where require looks for modules."},
    {"pllua_bg.interpreter_reload_ident", &setting_interpreter_reload_ident,
     "Sets the global _PL_IDENT of new interpreters.", PGC_SIGHUP},
};

// What is fixed when the server starts can be defined only then; without preloading it has no
// effect.
GucContext context_now(GucContext context) {
    return context == PGC_POSTMASTER && !is_preloaded ? PGC_SIGHUP : context;
}

void define_number(const Number &one) {
    if (is_defined(one.name)) return;
    DefineCustomIntVariable(one.name, one.description, one.more, one.variable, one.initial,
                            one.least, one.most, context_now(one.context), one.unit, one.check,
                            one.assign, nullptr);
}

PgBackgroundSettings own_pg_background;

constexpr Number kPgBackgroundNumbers[] = {
    {"pg_background.max_workers", &own_pg_background.max_workers, 16, 1, 1000, PGC_USERSET, 0,
     "Sets the maximum number of workers of one session."},
    {"pg_background.worker_timeout", &own_pg_background.worker_timeout, 0, 0, INT_MAX, PGC_USERSET,
     GUC_UNIT_MS, "Sets the statement_timeout of workers; 0 sets none."},
    {"pg_background.default_queue_size", &own_pg_background.default_queue_size, 65536,
     kQueueSizeMin * 1024, kQueueSizeMax * 1024, PGC_USERSET, GUC_UNIT_BYTE,
     "Sets the size of a worker's queues."},
};

int read_setting(const char *name) {
    const struct config_generic *setting = find_setting(name);
    if (setting == nullptr || setting->vartype != PGC_INT)
        elog(ERROR, "setting %s is not a number", name);
    int value = *as_integer(setting)->variable;
    return (setting->flags & GUC_UNIT) == GUC_UNIT_KB ? value * 1024 : value;
}

} // namespace

int setting_max_sessions;
int setting_max_sessions_per_role;
int setting_max_depth;
int setting_max_result_size;
int setting_max_queued;
int setting_max_notifications;
int setting_queue_size;
int setting_launch_wait;
int setting_pool_size;
int setting_pool_lifetime;
int setting_pool_age;
int setting_memory_limit;
char *setting_on_init;
char *setting_on_trusted_init;
char *setting_on_untrusted_init;
char *setting_on_common_init;
char *setting_start_proc;
char *setting_untrusted_start_proc;
char *setting_modules;
bool setting_strict;
bool setting_install_globals;
char *setting_interpreter_reload_ident;
bool setting_jobs;
int setting_job_workers;
int setting_job_workers_per_role;
int setting_job_databases;
int setting_job_linger;
int setting_job_idle;
int setting_job_keep;
int setting_job_commit;

void define_settings() {
    is_preloaded = process_shared_preload_libraries_in_progress;
    for (const Number &one : kNumbers) define_number(one);
    for (const Text &one : kTexts)
        if (!is_defined(one.name))
            DefineCustomStringVariable(one.name, one.description, nullptr, one.variable, "",
                                       one.context, 0, nullptr, nullptr, nullptr);
    for (const Flag &one : kFlags)
        if (!is_defined(one.name))
            DefineCustomBoolVariable(one.name, one.description, nullptr, one.variable, one.initial,
                                     context_now(one.context), 0, nullptr, nullptr, nullptr);
    if (!is_defined("pllua_bg.job_commit"))
        DefineCustomEnumVariable("pllua_bg.job_commit", "Sets how the transactions of jobs commit.",
                                 nullptr, &setting_job_commit, kInheritCommit, kJobCommits,
                                 PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    for (const Real &one : kReals)
        if (!is_defined(one.name))
            DefineCustomRealVariable(one.name, "Has no effect: the collector knows all memory.",
                                     nullptr, one.variable, 0, 0, one.most, PGC_USERSET, 0, nullptr,
                                     nullptr, nullptr);
    define_fault_settings();
    MarkGUCPrefixReserved("pllua_bg");
}

PgBackgroundSettings pg_background_settings() {
    static bool defined = false;
    if (!defined) {
        for (const Number &one : kPgBackgroundNumbers) define_number(one);
        defined = true;
    }
    return {read_setting("pg_background.max_workers"), read_setting("pg_background.worker_timeout"),
            read_setting("pg_background.default_queue_size")};
}

} // namespace pllua_bg::pg
