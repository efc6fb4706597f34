// Connecting a worker to another server, and what is set there before its first command.
// Owns nothing.
#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "pg/library.h"
#include "remote/options.h"
#include "remote/remote.h"
#include "remote/state.h"
#include "remote/statements.h"
#include "remote/types.h"

extern "C" {
#include "access/xact.h"
#include "pgtime.h"
#include "storage/fd.h"
}

namespace pllua_bg::remote {

namespace {

// The socket, and what tells of the end of a thread.
constexpr int kFiles = 2;

Client *load_client() {
    void *found = nullptr;
    ErrorData *error = pg::attempt([&found] {
        found = load_external_function(pg::library_beside(kClientLibrary), kClientFunction, true,
                                       nullptr);
    });
    if (error != nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FILE),
                        errmsg("sessions on other servers need the module pllua_bg_remote"),
                        errdetail_internal("%s", error->message),
                        errhint("Install it beside pllua_bg; it needs libpq.")));
    auto *get = reinterpret_cast<Client *(*)(int)>(found);
    Client *client = get(kClientVersion);
    if (client == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the module pllua_bg_remote is not of this version of pllua_bg")));
    return client;
}

void reserve_files() {
    for (int i = 0; i < kFiles; i++)
        if (!AcquireExternalFD())
            ereport(ERROR, (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                            errmsg("could not connect to server \"%s\"", state.name),
                            errdetail("There are too many open files on the local server."),
                            errhint("Raise the server's max_files_per_process and/or \"ulimit -n\" "
                                    "limits.")));
}

[[noreturn]] void refuse(const char *sqlstate, const char *why) {
    const int code = sqlstate[0] == '\0' ? ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION
                                         : MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
                                                         sqlstate[3], sqlstate[4]);
    ereport(ERROR, (errcode(code), errmsg("could not connect to server \"%s\"", state.name),
                    errdetail_internal("%s", pg::valid_text(why))));
    pg_unreachable();
}

// Who is no superuser must have been asked for the password of the mapping.
void check_used_password(const Options &options) {
    if (!options.needs_password || state.connection->has_used_password()) return;
    ereport(ERROR,
            (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
             errmsg("password is required"),
             errdetail("Non-superuser cannot connect if the server does not request a password."),
             errhint("Target server's authentication method must be changed or "
                     "password_required=false set in the user mapping attributes.")));
}

// False when the session was closed meanwhile.
bool connect(const Options &options) {
    reserve_files();
    state.connection = state.client->connect(options.keywords, options.values, options.timeout);
    state.client->forget_parsed(); // it has copies, until it is connected
    forget_keys(options);
    if (state.connection == nullptr) refuse("", _("out of memory"));
    close_at_exit();
    const TimestampTz end = GetCurrentTimestamp() + options.most * USECS_PER_SEC;
    if (!await_aside(end)) return false;
    if (state.connection->is_busy_aside()) refuse("", _("timeout expired")); // in a name server
    take_news();
    if (!state.connection->is_connected()) {
        char sqlstate[6];
        const char *why = state.connection->failure(sqlstate);
        refuse(sqlstate, why);
    }
    check_used_password(options);
    return true;
}

void append_setting(StringInfo sql, const char *name, const char *value) {
    appendStringInfo(sql, "%s pg_catalog.set_config(%s, %s, false)", sql->len == 0 ? "select" : ",",
                     quote_literal_cstr(name), quote_literal_cstr(value));
}

// The name, unless the foreign server has another for all its connections.
void append_title(StringInfo sql, const char *title) {
    const char *present = state.connection->setting("application_name");
    if (present != nullptr && strncmp(present, kTitle, strlen(kTitle)) == 0)
        append_setting(sql, "application_name", title);
}

// What this end needs to read values, then what sessions have by default, then what was asked for.
void set_up(session::FrameCursor *cursor) {
    StringInfoData sql;
    initStringInfo(&sql);
    append_title(&sql, title_of(session::session_name()));
    append_setting(&sql, "DateStyle", "ISO");
    append_setting(&sql, "IntervalStyle", "postgres");
    append_setting(&sql, "extra_float_digits", "3");
    append_setting(&sql, "lock_timeout", "60s");
    bool has_zone = false;
    session::Frame frame;
    StringInfoData asked;
    initStringInfo(&asked);
    while (session::next_frame(cursor, &frame)) {
        const session::SettingMessage setting = session::read_setting(frame);
        has_zone = has_zone || pg_strcasecmp(setting.name, "TimeZone") == 0;
        appendStringInfo(&asked, ", pg_catalog.set_config(%s, %s, false)",
                         quote_literal_cstr(setting.name), quote_literal_cstr(setting.value));
    }
    SetConfigOption("xmloption", "content", PGC_USERSET, PGC_S_SESSION); // reads both
    if (!has_zone) append_setting(&sql, "TimeZone", pg_get_timezone_name(session_timezone));
    appendStringInfoString(&sql, asked.data);
    read_types(sql.data);
}

// What may be secret is not kept longer than it is needed. False as connect().
bool connect_to(char *server, session::ServerSecret *secret) {
    const Options options = read_options(state.client, server, session::session_name(), *secret);
    pg::copy_clipped(state.name, options.name, NAMEDATALEN);
    explicit_bzero(server, strlen(server));
    explicit_bzero(secret, sizeof *secret);
    return connect(options);
}

bool connect_and_set_up(char *server, session::ServerSecret *secret,
                        session::FrameCursor *settings) {
    StartTransactionCommand();
    state.client = load_client();
    const bool connected = connect_to(server, secret);
    if (connected) set_up(settings);
    CommitTransactionCommand();
    return connected;
}

// Runs fn, after whose errors there is nothing to go on with.
template <class F> void raise_fatal(F &&fn) {
    ErrorData *error = pg::attempt(static_cast<F &&>(fn));
    if (error == nullptr) return;
    error->elevel = FATAL;
    pg::raise_fresh(error);
}

} // namespace

session::Executor *connect_to_server(char *server, session::ServerSecret *secret,
                                     session::FrameCursor *settings) {
    bool connected = false;
    raise_fatal([&connected, server, secret, settings] {
        connected = connect_and_set_up(server, secret, settings);
    });
    return connected ? remote_executor() : nullptr;
}

void forget_use() {
    state.to_fail = false;
    forget_statements();
    StartTransactionCommand();
    run_quietly("discard all");
    StringInfoData sql;
    initStringInfo(&sql);
    append_title(&sql, "pllua_bg pool");
    if (sql.len > 0) run_quietly(sql.data);
    CommitTransactionCommand();
}

void begin_use(session::FrameCursor *cursor) {
    session::Frame server;
    if (!session::next_frame(cursor, &server) || server.type != session::MessageType::kServer)
        elog(ERROR, "a session on another server is to be used as one here");
    raise_fatal([cursor] {
        StartTransactionCommand();
        set_up(cursor);
        CommitTransactionCommand();
    });
}

} // namespace pllua_bg::remote
