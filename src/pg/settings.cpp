// The settings pllua_bg.*: definitions, limits, descriptions.
// Owns their C variables.
#include "pg/settings.h"

#include "pg/hooks.h"

#include "pg/compat.h"
#include "pg/fault.h"

namespace pllua_bg::pg {

namespace {

// The library was loaded at the start of the server.
bool is_preloaded = false;

// Without preloading nobody counts the sessions of other backends: who sets the limit is told.
bool check_role_limit(int *value, void **, GucSource source) {
    if (*value == 0 || is_preloaded || source < PGC_S_TEST || MyBgworkerEntry != nullptr)
        return true;
    ereport(WARNING, (errmsg("pllua_bg.max_sessions_per_role has no effect"),
                      errhint("The library pllua_bg must be in shared_preload_libraries.")));
    return true;
}

// Loading that has failed once, for want of memory, is done again; the server defines nothing
// twice.
bool is_defined(const char *name) {
    const struct config_generic *setting = find_setting(name);
    return setting != nullptr && !(setting->flags & GUC_CUSTOM_PLACEHOLDER);
}

template <class... Arguments> void define_int(const char *name, Arguments... arguments) {
    if (!is_defined(name)) DefineCustomIntVariable(name, arguments...);
}

void define_session_settings() {
    define_int("pllua_bg.max_sessions",
               "Sets the maximum number of background sessions of one backend.", nullptr,
               &setting_max_sessions, 16, 0, 1000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    define_int("pllua_bg.max_sessions_per_role",
               "Sets the maximum number of background sessions that run as one role.",
               "0 means no limit. Needs pllua_bg in shared_preload_libraries.",
               &setting_max_sessions_per_role, 0, 0, INT_MAX, PGC_SUSET, 0, check_role_limit,
               nullptr, nullptr);
    define_int("pllua_bg.max_depth",
               "Sets how many levels of background sessions may launch one another.",
               "1 means that a background session launches none.", &setting_max_depth, 4, 1, 100,
               PGC_SUSET, 0, nullptr, nullptr, nullptr);
    define_int("pllua_bg.max_result_size",
               "Sets the maximum size of a result of a background session.",
               "0 means no limit. Rows that are read while they come do not count.",
               &setting_max_result_size, 0, 0, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, nullptr,
               nullptr, nullptr);
    define_int("pllua_bg.max_queued", "Sets how many commands a background session may have to do.",
               "0 means no limit.", &setting_max_queued, 200000, 0, INT_MAX, PGC_SUSET, 0, nullptr,
               nullptr, nullptr);
    define_int("pllua_bg.max_notifications",
               "Sets how many notifications of a background session are kept.",
               "The oldest are dropped. 0 means no limit.", &setting_max_notifications, 10000, 0,
               INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    define_int("pllua_bg.queue_size",
               "Sets the size of the queue of a background session's results.", nullptr,
               &setting_queue_size, 256, kQueueSizeMin, kQueueSizeMax, PGC_USERSET, GUC_UNIT_KB,
               nullptr, nullptr, nullptr);
    define_int("pllua_bg.launch_wait",
               "Sets how long the launch of a session waits for a free worker slot.", nullptr,
               &setting_launch_wait, 5000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr,
               nullptr);
}

void assign_pool_size(int value, void *) { hooks.pool_size_changes(value); }

void define_pool_settings() {
    define_int("pllua_bg.pool_size",
               "Sets how many idle sessions one backend keeps to use them again.", "0 keeps none.",
               &setting_pool_size, 2, 0, 100, PGC_SUSET, 0, nullptr, assign_pool_size, nullptr);
    define_int("pllua_bg.pool_lifetime",
               "Sets how long a session that is kept waits to be used again.", "0 keeps none.",
               &setting_pool_lifetime, 3, 0, 86400, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr,
               nullptr);
    define_int("pllua_bg.pool_age", "Sets how old a session may be that is used again.", nullptr,
               &setting_pool_age, 3600, 0, 7 * 86400, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr,
               nullptr);
}

void define_start_code(const char *name, const char *description, char **variable) {
    if (is_defined(name)) return;
    DefineCustomStringVariable(name, description, nullptr, variable, "", PGC_SUSET, 0, nullptr,
                               nullptr, nullptr);
}

void define_language_settings() {
    define_int("pllua_bg.memory_limit", "Sets the memory limit of each interpreter.",
               "0 means no limit.", &setting_memory_limit, 1024 * 1024, 0, MAX_KILOBYTES, PGC_SUSET,
               GUC_UNIT_KB, nullptr, nullptr, nullptr);
    define_start_code("pllua_bg.on_init", "Lua code to run first when any interpreter starts.",
                      &setting_on_init);
    define_start_code("pllua_bg.on_trusted_init",
                      "Lua code to run when a trusted interpreter starts.",
                      &setting_on_trusted_init);
    define_start_code("pllua_bg.on_untrusted_init",
                      "Lua code to run when an untrusted interpreter starts.",
                      &setting_on_untrusted_init);
    define_start_code(
        "pllua_bg.on_common_init",
        "Lua code to run last when any interpreter starts, with the globals of user code.",
        &setting_on_common_init);
}

PgBackgroundSettings own_pg_background = {16, 0, 65536};

void define_unless_there(const char *name, const char *description, int *variable, int least,
                         int most, int unit) {
    define_int(name, description, nullptr, variable, *variable, least, most, PGC_USERSET, unit,
               nullptr, nullptr, nullptr);
}

int read_setting(const char *name) {
    const struct config_generic *setting = find_setting(name);
    if (setting == nullptr || setting->vartype != PGC_INT)
        elog(ERROR, "setting %s is not a number", name);
    int value = *reinterpret_cast<const struct config_int *>(setting)->variable;
    return (setting->flags & GUC_UNIT) == GUC_UNIT_KB ? value * 1024 : value;
}

} // namespace

int setting_max_sessions = 16;
int setting_max_sessions_per_role = 0;
int setting_max_depth = 4;
int setting_max_result_size = 0;
int setting_max_queued = 200000;
int setting_max_notifications = 10000;
int setting_queue_size = 256;
int setting_launch_wait = 5000;
int setting_pool_size = 2;
int setting_pool_lifetime = 3;
int setting_pool_age = 3600;
int setting_memory_limit = 1024 * 1024;
char *setting_on_init = nullptr;
char *setting_on_trusted_init = nullptr;
char *setting_on_untrusted_init = nullptr;
char *setting_on_common_init = nullptr;

void define_settings() {
    is_preloaded = process_shared_preload_libraries_in_progress;
    define_session_settings();
    define_pool_settings();
    define_language_settings();
    define_fault_settings();
    MarkGUCPrefixReserved("pllua_bg");
}

PgBackgroundSettings pg_background_settings() {
    static constexpr char kWorkers[] = "pg_background.max_workers";
    static constexpr char kTimeout[] = "pg_background.worker_timeout";
    static constexpr char kQueue[] = "pg_background.default_queue_size";
    static bool defined = false;
    if (!defined) {
        define_unless_there(kWorkers, "Sets the maximum number of workers of one session.",
                            &own_pg_background.max_workers, 1, 1000, 0);
        define_unless_there(kTimeout, "Sets the statement_timeout of workers; 0 sets none.",
                            &own_pg_background.worker_timeout, 0, INT_MAX, GUC_UNIT_MS);
        define_unless_there(kQueue, "Sets the size of a worker's queues.",
                            &own_pg_background.default_queue_size, kQueueSizeMin * 1024,
                            kQueueSizeMax * 1024, GUC_UNIT_BYTE);
        defined = true;
    }
    return {read_setting(kWorkers), read_setting(kTimeout), read_setting(kQueue)};
}

} // namespace pllua_bg::pg
