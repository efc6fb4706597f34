// Carrying settings over to a worker: what the user may set himself, set as he would set it. The
// others are in guc_imposed.cpp.
// Owns nothing.
#include "session/shared/guc_transfer.h"

#include "pg/compat_settings.h"
#include "pg/settings.h"
#include "session/shared/guc_imposed.h"
#include "session/shared/message.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace pllua_bg::session {

namespace {

// What the server does about a client that is silent or lost. The client of a worker is its
// launcher, whose going it sees by itself, and which leaves it idle, in a transaction too, while it
// does something else. docs/settings.md has the same list. All are off by 0.
const char *const kOfClient[] = {
    "client_connection_check_interval",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
};

bool is_of_client(const struct config_generic *setting) {
    for (const char *name : kOfClient)
        if (strcmp(setting->name, name) == 0) return true;
    return false;
}

// Settings that belong to the connection or to the transaction, or that the worker has its own of.
bool is_excluded(const struct config_generic *setting) {
    static const char *const names[] = {"client_encoding", "application_name", "role",
                                        "session_authorization"};
    if (setting->flags & GUC_NO_RESET_ALL) return true;
    for (const char *name : names)
        if (strcmp(setting->name, name) == 0) return true;
    return false;
}

// True when the value was chosen for this database, role or session, not for the whole server; for
// a worker elsewhere, for this session. The worker tries to set what is given to superusers only,
// too, and is refused unless it may.
bool is_chosen(const struct config_generic *setting, bool elsewhere) {
    return (setting->context == PGC_USERSET || setting->context == PGC_SUSET) &&
           setting->source >= (elsewhere ? PGC_S_CLIENT : PGC_S_DATABASE);
}

// The role whose rights the value has been set with; none when they were those of the server or of
// a superuser. The parameter of a library that is not loaded yet can be set by anyone, and the
// server looks at who it was when it loads the library: a superuser's session must not set it anew.
Oid setter_of(const struct config_generic *setting) {
    const bool privileged = setting->scontext != PGC_USERSET && setting->scontext != PGC_BACKEND;
    return privileged ? InvalidOid : setting->srole;
}

GucStringCheckHook next_encoding_check;

bool check_encoding(char **value, void **extra, GucSource source) {
    if (pg_valid_client_encoding(*value) != GetDatabaseEncoding()) {
        GUC_check_errcode(ERRCODE_FEATURE_NOT_SUPPORTED);
        GUC_check_errdetail("The client encoding of a background session is the server encoding.");
        return false;
    }
    return next_encoding_check == nullptr || next_encoding_check(value, extra, source);
}

void refuse_setting(const char *name) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("setting \"%s\" cannot be given to a background session", name)));
}

// Sets it, or only checks that it can be set.
bool try_setting(const char *name, const char *value, Oid setter, bool change) {
    const bool own = !OidIsValid(setter);
    return set_config_option_ext(name, value, own && superuser() ? PGC_SUSET : PGC_USERSET,
                                 PGC_S_SESSION, own ? GetUserId() : setter, GUC_ACTION_SET, change,
                                 DEBUG1, false) != 0;
}

void write_chosen(StringInfo frames, const struct config_generic *setting, bool elsewhere) {
    if (!is_chosen(setting, elsewhere) || is_excluded(setting) || is_imposed(setting) ||
        is_of_client(setting))
        return;
    const char *value = GetConfigOption(setting->name, true, false);
    if (value == nullptr) return;
    append_setting(frames, {setter_of(setting), false, false, PGC_S_DEFAULT, setting->name, value});
}

} // namespace

bool write_session_settings(StringInfo frames, bool elsewhere) {
    if (!elsewhere) append_libraries(frames);
    const int before = frames->len;
    StringInfoData chosen;
    initStringInfo(&chosen);
    // Once: to have them all at hand takes some servers longer than all else.
    pg::for_each_setting([frames, &chosen, elsewhere](const struct config_generic *setting) {
        write_imposed(frames, setting, elsewhere);
        write_chosen(&chosen, setting, elsewhere);
    });
    const bool imposes = frames->len > before;
    appendBinaryStringInfo(frames, chosen.data, chosen.len);
    pfree(chosen.data);
    return imposes;
}

void complete_settings(StringInfo frames) {
    StringInfoData all;
    initStringInfo(&all);
    write_server_settings(&all);
    appendBinaryStringInfo(&all, frames->data, frames->len);
    pfree(frames->data);
    *frames = all;
}

void write_asked_settings(StringInfo frames, const LaunchOptions &options) {
    for (int i = 0; i < options.nsettings; i++) {
        const char *name = options.setting_names[i];
        const char *value = options.setting_values[i];
        const struct config_generic *setting = pg::find_setting(name);
        if (setting != nullptr && is_excluded(setting) &&
            strcmp(setting->name, "application_name") != 0)
            refuse_setting(name);
        (void)set_config_option(name, value, superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
                                GUC_ACTION_SET, false, ERROR, false);
        append_setting(frames, {InvalidOid, false, false, PGC_S_DEFAULT, name, value});
    }
}

void write_server(StringInfo frames, const LaunchOptions &options, const ServerSecret &secret) {
    append_server(frames, {secret, options.server});
    if (DefaultXactReadOnly)
        append_setting(frames, {InvalidOid, false, false, PGC_S_DEFAULT,
                                "default_transaction_read_only", "on"});
    for (int i = 0; i < options.nsettings; i++) {
        const char *name = options.setting_names[i];
        if (pg_strcasecmp(name, "client_encoding") == 0) refuse_setting(name);
        append_setting(frames,
                       {InvalidOid, false, false, PGC_S_DEFAULT, name, options.setting_values[i]});
    }
}

void fix_client_encoding() {
    (void)set_config_option("client_encoding", GetDatabaseEncodingName(), PGC_USERSET,
                            PGC_S_OVERRIDE, GUC_ACTION_SET, true, ERROR, false);
    struct config_generic *setting = pg::find_setting("client_encoding");
    if (setting == nullptr || setting->vartype != PGC_STRING) return;
    GucStringCheckHook *check = pg::check_hook_of(setting);
    if (*check == check_encoding) return;
    next_encoding_check = *check;
    *check = check_encoding;
}

void switch_client_settings_off() {
    for (const char *name : kOfClient) SetConfigOption(name, "0", PGC_USERSET, PGC_S_CLIENT);
}

void apply_setting(const SettingMessage &setting) {
    if (setting.imposed) {
        impose(setting);
        return;
    }
    const Oid setter = setting.setter;
    // Who set it and the session's user must both be allowed to.
    if (OidIsValid(setter) && setter != GetUserId() &&
        !try_setting(setting.name, setting.value, InvalidOid, false))
        return;
    (void)try_setting(setting.name, setting.value, setter, true);
}

} // namespace pllua_bg::session
