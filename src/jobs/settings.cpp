// The settings of a scheduler: those of the server, whatever was set for the database or for roles.
// Owns a copy of them while the process connects.
#include "jobs/area.h"

#include "pg/compat_settings.h"
#include "pg/list.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "miscadmin.h"
}

namespace pllua_bg::jobs {

namespace {

struct Kept {
    Kept *before;
    Kept *after;
    char *name;
    char *value;
};

MemoryContext context;
pg::LinkedList<Kept> kept;

struct Fixed {
    const char *name;
    const char *value;
};

// What else would make the process run code of others, end what it does, or keep it from writing.
constexpr Fixed kFixed[] = {
    {"role", "none"},
    {"search_path", "pg_catalog, pg_temp"},
    {"session_replication_role", "origin"},
    {"row_security", "on"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"default_transaction_deferrable", "off"},
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"transaction_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
    {"idle_session_timeout", "0"},
    {"client_min_messages", "error"},
    {"jit", "off"},
    // A plan that is kept since the tables were empty is still right when they are not.
    {"enable_seqscan", "off"},
    {"log_min_duration_statement", "-1"},
    {"pllua_bg.on_init", ""},
    {"pllua_bg.on_trusted_init", ""},
    {"pllua_bg.on_untrusted_init", ""},
    {"pllua_bg.on_common_init", ""},
    {"pllua_bg.start_proc", ""},
    {"pllua_bg.untrusted_start_proc", ""},
    {"pllua_bg.modules", ""},
    {"pllua_bg.strict", "off"},
    {"pllua_bg.install_globals", "on"},
    {"pllua_bg.max_sessions", "1000"},
    {"pllua_bg.max_queued", "0"},
    {"pllua_bg.max_result_size", "0"},
    {"pllua_bg.memory_limit", "0"},
};

bool may_change(const struct config_generic *setting) {
    return setting->context == PGC_SUSET || setting->context == PGC_USERSET;
}

// As the server's, for RESET too. Errors: pg.
void set(const char *name, const char *value) {
    if (pg::find_setting(name) == nullptr) return;
    SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

const char *kept_value(const char *name) {
    for (const Kept *one = kept.first; one != nullptr; one = one->after)
        if (strcmp(one->name, name) == 0) return one->value;
    return nullptr;
}

void undo(const struct config_generic *setting) {
    if (!may_change(setting) || (setting->flags & GUC_NO_RESET_ALL)) return;
    if (setting->source < PGC_S_GLOBAL || setting->source > PGC_S_DATABASE_USER) return;
    const char *value = kept_value(setting->name);
    // What no library has defined means nothing.
    if (value != nullptr) set(setting->name, value);
}

} // namespace

void remember_settings() {
    context = AllocSetContextCreate(TopMemoryContext, "pllua_bg settings", ALLOCSET_DEFAULT_SIZES);
    pg::for_each_setting([](const struct config_generic *setting) {
        const char *value =
            may_change(setting) ? GetConfigOption(setting->name, true, false) : nullptr;
        if (value == nullptr) return;
        auto *one = static_cast<Kept *>(MemoryContextAllocZero(context, sizeof(Kept)));
        one->name = MemoryContextStrdup(context, setting->name);
        one->value = MemoryContextStrdup(context, value);
        kept.append(one);
    });
}

void settle_settings() {
    pg::for_each_setting([](const struct config_generic *setting) { undo(setting); });
    for (const Fixed &one : kFixed) set(one.name, one.value);
    if (GetSessionUserId() != BOOTSTRAP_SUPERUSERID)
        set("session_authorization", GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false));
    kept = {};
    MemoryContextDelete(context);
}

} // namespace pllua_bg::jobs
