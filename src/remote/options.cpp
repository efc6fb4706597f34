// Rights and options of sessions on other servers. See options.h; the rules of foreign servers are
// those of postgres_fdw (contrib/postgres_fdw/connection.c), those of connection strings are
// dblink_connect_u()'s. Owns nothing.
#include "remote/options.h"

#include "pg/compat.h"
#include "remote/remote.h"
#include "remote/scram.h"
#include "session/session.h"

extern "C" {
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "parser/parse_func.h"

// Which options the server thinks safe; older minor versions do not say.
__attribute__((weak)) bool libpqsrv_is_valid_proxy_option(const char *keyword);
}

namespace pllua_bg::remote {

namespace {

constexpr int kTimeout = 10;
constexpr int kMostParsed = 100; // options of libpq; it has some fifty

struct Target {
    ForeignServer *server;
    UserMapping *mapping;
    bool asks_password; // of the wrapper postgres_fdw: the mapping may have password_required
    bool passes_keys;   // the client's keys of SCRAM are to be passed on
    bool has_keys;      // and there are some
};

constexpr char kClientKey[] = "scram_client_key";
constexpr char kServerKey[] = "scram_server_key";

// Which function checks the options of a wrapper says what they mean.
bool is_of_libpq(const ForeignDataWrapper *wrapper, bool *asks_password) {
    const char *validator =
        OidIsValid(wrapper->fdwvalidator) ? get_func_name(wrapper->fdwvalidator) : nullptr;
    if (validator == nullptr) return false;
    *asks_password = strcmp(validator, "postgres_fdw_validator") == 0;
    return *asks_password || strcmp(validator, "dblink_fdw_validator") == 0 ||
           strcmp(validator, "postgresql_fdw_validator") == 0;
}

const char *option_value(List *options, const char *name) {
    ListCell *cell;
    foreach (cell, options) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        if (strcmp(option->defname, name) == 0) return defGetString(option);
    }
    return nullptr;
}

[[noreturn]] void refuse_without_password(const char *detail, const char *hint) {
    ereport(ERROR, (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
                    errmsg("password is required"), errdetail("%s", detail),
                    hint == nullptr ? 0 : errhint("%s", hint)));
}

// What a list of options says of one that is true or false; `absent`: nothing.
bool is_set(List *options, const char *name, bool absent) {
    ListCell *cell;
    foreach (cell, options) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        if (strcmp(option->defname, name) == 0) return defGetBoolean(option);
    }
    return absent;
}

// A superuser has said that this mapping needs none: nobody else can.
bool is_exempt(const Target &target) {
    return target.asks_password && !is_set(target.mapping->options, "password_required", true);
}

// With keys no server lets anybody in who has not proved that he has them.
bool needs_password(const Target &target) {
    return !superuser() && !is_exempt(target) && !target.has_keys;
}

// Who is no superuser must not be let in for who this server is.
void check_password(const Target &target) {
    if (!needs_password(target)) return;
    const char *password = option_value(target.mapping->options, "password");
    if (password != nullptr && password[0] != '\0') return;
    refuse_without_password(
        _("Non-superusers must provide a password in the user mapping."),
        target.passes_keys ? _("SCRAM pass-through is for sessions of the role as which a client "
                               "has just been authenticated by SCRAM.")
                           : nullptr);
}

// has_keys: as the caller knows.
Target find_target(const char *name, bool has_keys) {
    Target target = {};
    target.server = GetForeignServerByName(name, false);
    if (!pg::may_use_server(target.server->serverid, GetUserId()))
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, target.server->servername);
    const ForeignDataWrapper *wrapper = GetForeignDataWrapper(target.server->fdwid);
    if (!is_of_libpq(wrapper, &target.asks_password))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("sessions are not possible on servers of foreign-data wrapper "
                               "\"%s\"",
                               wrapper->fdwname),
                        errhint("Use a server of postgres_fdw or dblink_fdw.")));
    target.mapping = GetUserMapping(GetUserId(), target.server->serverid);
    const bool on_server = is_set(target.server->options, "use_scram_passthrough", false);
    target.passes_keys = is_set(target.mapping->options, "use_scram_passthrough", on_server);
    target.has_keys = has_keys && target.passes_keys;
    check_password(target);
    return target;
}

// What only a user mapping may say.
bool is_of_user(const char *name, Keyword keyword) {
    static const char *const names[] = {"user", "password", "sslcert", "sslkey", "sslpassword"};
    for (const char *own : names)
        if (strcmp(name, own) == 0) return true;
    return keyword == Keyword::kSecret;
}

// What this end decides.
bool is_ours(const char *name) {
    return strcmp(name, "client_encoding") == 0 || strcmp(name, "fallback_application_name") == 0;
}

void add(Options *options, const char *keyword, const char *value) {
    options->keywords[options->count] = keyword;
    options->values[options->count++] = value;
}

void add_default(Options *options, const char *keyword, const char *value) {
    for (int i = 0; i < options->count; i++)
        if (strcmp(options->keywords[i], keyword) == 0) return;
    add(options, keyword, value);
}

void check_safe(const char *keyword) {
    if (libpqsrv_is_valid_proxy_option == nullptr || libpqsrv_is_valid_proxy_option(keyword))
        return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to set connection option \"%s\"", keyword)));
}

// Adds the options of the server, or those of the user.
void add_all(Options *options, Client *client, List *from, bool of_user) {
    ListCell *cell;
    foreach (cell, from) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        const Keyword keyword = client->keyword(option->defname);
        if (keyword == Keyword::kUnknown || keyword == Keyword::kDebug) continue;
        if (is_ours(option->defname) || is_of_user(option->defname, keyword) != of_user) continue;
        check_safe(option->defname);
        add(options, option->defname, defGetString(option));
    }
}

// Seconds for each host, which is always an option afterwards. libpq waits for ever where it is 0.
int take_timeout(Options *options) {
    int seconds = kTimeout;
    int place = options->count;
    for (int i = 0; i < options->count; i++) {
        if (strcmp(options->keywords[i], "connect_timeout") != 0) continue;
        place = i;
        const int wanted = atoi(options->values[i]);
        if (wanted > 0) seconds = Min(Max(wanted, 2), 3600);
    }
    if (place == options->count) add(options, "connect_timeout", nullptr);
    options->values[place] = psprintf("%d", seconds);
    return seconds;
}

Options make_options(int most) {
    Options options = {};
    const Size size = sizeof(char *) * (static_cast<Size>(most) + 16);
    options.keywords = static_cast<const char **>(palloc0(size));
    options.values = static_cast<const char **>(palloc0(size));
    return options;
}

// Nobody but who knows the same keys is believed to be the server.
void add_keys(Options *options, const session::ServerSecret &secret) {
    const ScramKeys keys = keys_in(secret);
    add(options, kClientKey, key_text(keys.client));
    add(options, kServerKey, key_text(keys.server));
    add(options, "require_auth", "scram-sha-256"); // over what the server's options say
}

Options options_of_server(Client *client, const char *name, const session::ServerSecret &secret) {
    const Target target = find_target(name, secret.length > 0);
    List *of_server = target.server->options;
    List *of_user = target.mapping->options;
    Options options = make_options(list_length(of_server) + list_length(of_user));
    options.name = target.server->servername;
    add_all(&options, client, of_server, false);
    add_all(&options, client, of_user, true);
    if (target.has_keys) add_keys(&options, secret);
    options.needs_password = needs_password(target);
    return options;
}

// A right of its own: a connection string takes who has it to any server, as whoever the server
// process is there, and has it read files of this one.
void check_anywhere() {
    List *name = list_make2(makeString(pstrdup("bg")), makeString(pstrdup("connect_anywhere")));
    const Oid function = LookupFuncName(name, 0, nullptr, true);
    if (OidIsValid(function) && pg::may_execute(function, GetUserId())) return;
    const char *role = GetUserNameFromId(GetUserId(), true);
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for connection strings of background sessions"),
             errdetail("The role needs EXECUTE on function bg.connect_anywhere()."),
             role == nullptr ? 0
                             : errhint("Use a foreign server and a user mapping; or, for a role "
                                       "that may go to any server, as anybody: GRANT EXECUTE ON "
                                       "FUNCTION bg.connect_anywhere() TO %s",
                                       quote_identifier(role))));
}

// Where a URI has '@' or '/' in a password as they are, libpq takes a part of it for a host or a
// port, which its errors then tell.
bool is_ambiguous(const char *text) {
    const char *scheme = strstr(text, "://");
    if (scheme == nullptr || strncmp(text, "postgres", 8) != 0) return false;
    const char *begin = scheme + 3;
    const Size length = strcspn(begin, "?");
    const auto *at = static_cast<const char *>(memchr(begin, '@', length));
    if (at == nullptr) return false;
    const Size rest = length - static_cast<Size>(at + 1 - begin);
    return memchr(begin, '/', static_cast<Size>(at - begin)) != nullptr ||
           memchr(at + 1, '@', rest) != nullptr;
}

void check_possible(Client *client, const char *keyword) {
    if (is_ours(keyword) || client->keyword(keyword) == Keyword::kDebug)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("connection option \"%s\" is not possible for a background session",
                               keyword)));
    check_safe(keyword);
}

Options options_of_string(Client *client, const char *text) {
    check_anywhere();
    if (is_ambiguous(text) || !client->parse(text))
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid connection string"),
             errdetail("It is malformed, or has an option that libpq does not know."),
             errhint("It has the form \"host=... dbname=...\", or \"postgresql://...\" with %%40 "
                     "for @ and %%2F for / in names and passwords.")));
    Options options = make_options(kMostParsed);
    options.name = "<connection string>";
    const char *keyword;
    const char *value;
    while (options.count < kMostParsed && client->next_parsed(&keyword, &value)) {
        check_possible(client, keyword);
        add(&options, keyword, value);
        if (strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0)
            options.name = pstrdup(value);
    }
    return options;
}

// How many are tried, one after the other.
int count_hosts(const Options &options) {
    int most = 1;
    for (int i = 0; i < options.count; i++) {
        const char *keyword = options.keywords[i];
        if (strcmp(keyword, "host") != 0 && strcmp(keyword, "hostaddr") != 0) continue;
        int hosts = 1;
        for (const char *at = options.values[i]; *at != '\0'; at++) hosts += *at == ',' ? 1 : 0;
        most = Max(most, hosts);
    }
    return most;
}

} // namespace

void check_server(const char *server, session::ServerSecret *secret) {
    if (session::is_connection_string(server)) return check_anywhere();
    ScramKeys keys;
    const Target target = find_target(server, own_keys(&keys));
    if (target.has_keys) put_keys(secret, keys);
}

const char *title_of(const char *session) {
    return session[0] == '\0' ? kTitle : psprintf("%s:%s", kTitle, session);
}

Options read_options(Client *client, const char *server, const char *session,
                     const session::ServerSecret &secret) {
    Options options = session::is_connection_string(server)
                          ? options_of_string(client, server)
                          : options_of_server(client, server, secret);
    options.timeout = take_timeout(&options);
    options.most = options.timeout * count_hosts(options) + 1; // libpq says it first
    add(&options, "client_encoding", GetDatabaseEncodingName());
    add_default(&options, "application_name", title_of(session));
    // Neither a name server nor one of tickets is asked unless somebody wants that.
    add_default(&options, "gssencmode", "disable");
    // A peer that is no longer there is noticed within a minute.
    add_default(&options, "keepalives_idle", "30");
    add_default(&options, "keepalives_interval", "10");
    add_default(&options, "keepalives_count", "3");
    add_default(&options, "tcp_user_timeout", "60000");
    return options;
}

void forget_keys(const Options &options) {
    for (int i = 0; i < options.count; i++) {
        const char *keyword = options.keywords[i];
        if (strcmp(keyword, kClientKey) != 0 && strcmp(keyword, kServerKey) != 0) continue;
        auto *key = const_cast<char *>(options.values[i]);
        explicit_bzero(key, strlen(key));
    }
}

} // namespace pllua_bg::remote
