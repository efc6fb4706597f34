// The settings pllua_bg.*: definitions, limits, descriptions.
// Owns their C variables.
#include "pg/settings.h"

#include "pg/compat.h"
#include "pg/fault.h"

namespace pllua_bg::pg {

int setting_max_sessions = 16;
int setting_queue_size = 1024;
int setting_launch_wait = 5000;
int setting_memory_limit = 1024 * 1024;

char *setting_on_init = nullptr;
char *setting_on_trusted_init = nullptr;
char *setting_on_untrusted_init = nullptr;
char *setting_on_common_init = nullptr;

static void define_session_settings() {
    DefineCustomIntVariable(
        "pllua_bg.max_sessions", "Sets the maximum number of background sessions of one backend.",
        nullptr, &setting_max_sessions, 16, 0, 1000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pllua_bg.queue_size",
                            "Sets the size of each of the two queues of a background session.",
                            nullptr, &setting_queue_size, 1024, kQueueSizeMin, kQueueSizeMax,
                            PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pllua_bg.launch_wait",
                            "Sets how long the launch of a session waits for a free worker slot.",
                            nullptr, &setting_launch_wait, 5000, 0, INT_MAX, PGC_USERSET,
                            GUC_UNIT_MS, nullptr, nullptr, nullptr);
}

static void define_start_code(const char *name, const char *description, char **variable) {
    DefineCustomStringVariable(name, description, nullptr, variable, "", PGC_SUSET, 0, nullptr,
                               nullptr, nullptr);
}

static void define_language_settings() {
    DefineCustomIntVariable("pllua_bg.memory_limit", "Sets the memory limit of each interpreter.",
                            "0 means no limit.", &setting_memory_limit, 1024 * 1024, 0,
                            MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
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

void define_settings() {
    define_session_settings();
    define_language_settings();
    define_fault_settings();
    MarkGUCPrefixReserved("pllua_bg");
}

struct config_generic *find_setting(const char *name) {
    int count = 0;
    struct config_generic **settings = all_settings(&count);
    for (int i = 0; i < count; i++)
        if (pg_strcasecmp(setting_name(settings[i]), name) == 0) return settings[i];
    return nullptr;
}

} // namespace pllua_bg::pg
