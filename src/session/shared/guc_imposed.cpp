// Settings that the session's user may not change. An administrator gives them to whoever logs in,
// to a database, or to a session before it takes a lesser role; there they are in force whoever the
// current user is. So they are in the session of that user, too, as they are in parallel workers;
// what has been set for him is for his own connections. Owns the list of those that stay behind.
#include "session/shared/guc_imposed.h"

#include "pg/compat_settings.h"
#include "session/shared/message.h"

extern "C" {
#include "catalog/pg_authid_d.h"
}

namespace pllua_bg::session {

namespace {

// What a superuser switches off for himself and for a while, of what protects data: a session may
// outlast the while, and belongs to somebody else. The default is imposed, another value only
// follows who may set it. docs/settings.md has the same list.
const char *const kProtections[] = {
    "allow_in_place_tablespaces", "allow_system_table_mods", "event_triggers",
    "ignore_checksum_failure",    "lo_compat_privileges",    "session_replication_role",
    "zero_damaged_pages",
};

// Values of the same file and command line are the server's for both processes.
bool is_of_server(GucSource source) { return source < PGC_S_GLOBAL; }

// False for what is of this database, or of the role everywhere: in another one the server has set
// what is in force there. What is of the role it has logged in as stays with whoever has become
// another one.
bool travels(GucSource source, bool elsewhere) {
    if (!elsewhere || source > PGC_S_DATABASE_USER) return true;
    return source == PGC_S_USER && GetUserId() != GetSessionUserId();
}

bool is_protection(const struct config_generic *setting) {
    bool listed = false;
    for (const char *name : kProtections) listed = listed || strcmp(setting->name, name) == 0;
    return listed;
}

// True when a protection, which is on unless somebody has switched it off, is off; `in_reset`: in
// what RESET goes back to.
bool is_switched_off(const struct config_generic *setting, bool in_reset) {
    if (setting->vartype == PGC_BOOL) {
        const auto *boolean = pg::as_boolean(setting);
        return (in_reset ? boolean->reset_val : *boolean->variable) != boolean->boot_val;
    }
    if (setting->vartype != PGC_ENUM) return false;
    const auto *choice = pg::as_enum(setting);
    return (in_reset ? choice->reset_val : *choice->variable) != choice->boot_val;
}

bool is_protection_off(const struct config_generic *setting) {
    return !is_of_server(setting->source) && is_protection(setting) &&
           is_switched_off(setting, false);
}

// Set with the rights of a superuser or of the server. What anyone has set for a library that is
// not loaded is worth no more than his rights are.
bool is_privileged(GucContext context) { return context != PGC_USERSET && context != PGC_BACKEND; }

bool is_placeholder(const struct config_generic *setting) {
    return (setting->flags & GUC_CUSTOM_PLACEHOLDER) != 0;
}

void write(StringInfo frames, const struct config_generic *setting, GucSource source,
           const char *value) {
    if (value == nullptr) return;
    append_setting(frames,
                   {InvalidOid, true, !is_placeholder(setting), source, setting->name, value});
}

void write_value(StringInfo frames, const struct config_generic *setting) {
    const char *value = GetConfigOption(setting->name, true, false);
    // Of one that has lost its value some servers say null: what was imposed before is taken back.
    if (value == nullptr && is_placeholder(setting)) value = "";
    write(frames, setting, setting->source, value);
}

// Forgets where a value has come from, so that one from elsewhere takes its place. Not to be
// confused with one that was never set, of which the server keeps no record.
void forget_source(struct config_generic *setting) {
    setting->source = Min(setting->source, PGC_S_DYNAMIC_DEFAULT);
    setting->reset_source = Min(setting->reset_source, PGC_S_DYNAMIC_DEFAULT);
}

void set(const SettingMessage &wanted, GucContext context, GucSource source) {
    int done =
        set_config_option_ext(wanted.name, wanted.value, context, source, BOOTSTRAP_SUPERUSERID,
                              GUC_ACTION_SET, true, wanted.known ? ERROR : DEBUG1, false);
    if (done == 0 && wanted.known)
        ereport(ERROR, (errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
                        errmsg("parameter \"%s\" could not be set", wanted.name)));
}

} // namespace

bool is_imposed(const struct config_generic *setting) {
    if (setting->flags & GUC_NO_RESET_ALL) return false;
    switch (setting->context) {
    case PGC_SU_BACKEND:
    case PGC_BACKEND: return true;
    case PGC_SUSET: return !is_protection_off(setting);
    case PGC_USERSET: return is_placeholder(setting) && is_privileged(setting->scontext);
    default: return false;
    }
}

void write_imposed(StringInfo frames, const struct config_generic *setting, bool elsewhere) {
    // Under what somebody has set for a library that is not loaded may lie what is imposed.
    if (is_placeholder(setting) && !is_privileged(setting->scontext) &&
        is_privileged(setting->reset_scontext) && !is_of_server(setting->reset_source) &&
        travels(setting->reset_source, elsewhere))
        write(frames, setting, setting->reset_source, pg::as_string(setting)->reset_val);
    if (!is_of_server(setting->source) && is_imposed(setting) &&
        travels(setting->source, elsewhere))
        write_value(frames, setting);
    // What he has switched off is on for the session, also where its user's own is off.
    if (is_protection_off(setting) && !is_switched_off(setting, true) &&
        travels(setting->reset_source, elsewhere))
        write(frames, setting, setting->reset_source, GetConfigOptionResetString(setting->name));
}

void write_server_settings(StringInfo frames) {
    pg::for_each_setting([frames](const struct config_generic *setting) {
        if (is_of_server(setting->source) && is_imposed(setting)) write_value(frames, setting);
    });
}

void load_libraries(char *paths) { RestoreLibraryState(paths); }

void impose(const SettingMessage &wanted) {
    struct config_generic *setting = pg::find_setting(wanted.name);
    if (is_of_server(wanted.source) &&
        (setting == nullptr || is_of_server(Max(setting->source, setting->reset_source))))
        return;
    const bool backend = setting != nullptr &&
                         (setting->context == PGC_SU_BACKEND || setting->context == PGC_BACKEND);
    const GucContext context = backend ? PGC_SU_BACKEND : PGC_SUSET;
    if (setting != nullptr) forget_source(setting);
    // First what RESET ALL goes back to; it needs no right.
    set(wanted, context, Min(Max(wanted.source, PGC_S_DYNAMIC_DEFAULT), PGC_S_OVERRIDE));
    if (wanted.source > PGC_S_OVERRIDE) set(wanted, context, wanted.source);
}

} // namespace pllua_bg::session
