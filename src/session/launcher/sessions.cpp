// The sessions of this backend: making, numbering, finding, forgetting.
// Owns the list of sessions.
#include "session/launcher/launcher.h"

#include "pg/encoding.h"

extern "C" {
#include "utils/acl.h"
}

namespace pllua_bg::session {

namespace {

uint64 last_number = 0;

void set_name(NameData *name, const char *text) {
    memset(name, 0, sizeof *name);
    if (text != nullptr) pg::copy_clipped(NameStr(*name), text, NAMEDATALEN);
}

// A connection string may have a password in it.
const char *shown_server(const char *server) {
    return server != nullptr && is_connection_string(server) ? "<connection string>" : server;
}

} // namespace

bool is_connection_string(const char *server) {
    return strchr(server, '=') != nullptr || strstr(server, "://") != nullptr;
}

pg::LinkedList<Session> sessions;
int session_count = 0;
bool any_forgotten = false;

Session *make_session() {
    MemoryContext context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg session", ALLOCSET_SMALL_SIZES);
    auto *session = static_cast<Session *>(MemoryContextAllocZero(context, sizeof(Session)));
    session->context = context;
    session->user = GetUserId();
    session->database = MyDatabaseId;
    return session;
}

void begin_use(Session *session, const LaunchOptions &options) {
    if (!pg_strong_random(&session->cookie, sizeof session->cookie))
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
    session->number = ++last_number;
    session->launched_at = GetCurrentTimestamp();
    session->on_exit = options.on_exit;
    session->told = session->forgotten = false;
    session->transaction = options.snapshot ? 'T' : 'I';
    set_name(&session->name, options.name);
    set_name(&session->server, shown_server(options.server));
}

void enter(Session *session) {
    session->unused = true;
    sessions.append(session);
    session_count++;
}

Session *by_number(uint64 number) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->number == number) return session;
    return nullptr;
}

bool forget_handle(uint64 number) {
    Session *session = by_number(number);
    if (session == nullptr) return false;
    if (session->told) return true;
    session->forgotten = any_forgotten = true;
    return false;
}

void tell(Session *session) { session->told = true; }

uint64 newest_number() { return last_number; }

uint64 number(const Session *session) { return session->number; }

void for_each(void (*visit)(Session *session, void *argument), void *argument) {
    Session *after;
    for (Session *session = sessions.first; session != nullptr; session = after) {
        after = session->after;
        visit(session, argument);
    }
}

void check_owner(const Session *session) {
    if (has_privs_of_role(GetUserId(), session->user)) return;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for background session of role \"%s\"",
                    GetUserNameFromId(session->user, true)),
             errhint("A session may be used by roles that are members of the role it runs as.")));
}

int known_pid(Session *session) {
    if (session->pid == 0) session->pid = session->link->pid();
    return session->pid;
}

void raise_gone(const Session *session) {
    const char *cause = session->last_error;
    if (session->refused) {
        ErrorData refusal = *session->fatal;
        refusal.elevel = ERROR;
        ThrowErrorData(&refusal);
    }
    if (has_run(session))
        ereport(ERROR,
                (errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST), errmsg("background session has ended"),
                 cause == nullptr ? 0 : errdetail("%s", cause)));
    ereport(ERROR,
            (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("background session could not be started"),
             errdetail("%s", cause == nullptr ? "The worker did not start." : cause)));
}

bool is_own_worker(int pid) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (known_pid(session) == pid) return true;
    return false;
}

void log_life(Session *session, const char *event, const char *cause) {
    const char *name = NameStr(session->name);
    ereport(DEBUG1, (errmsg_internal("background session %s%s(PID %d) %s%s%s", name,
                                     *name == '\0' ? "" : " ", known_pid(session), event,
                                     cause == nullptr ? "" : ": ", cause == nullptr ? "" : cause),
                     errhidestmt(true), errhidecontext(true)));
}

void free_session(Session *session) {
    trace_left(session);
    if (session->link != nullptr) session->link->release();
    drop_notifications(session);
    count_held(session, -static_cast<ptrdiff_t>(session->held));
    MemoryContextDelete(session->context);
}

void forget(Session *session) {
    sessions.remove(session);
    session_count--;
    free_session(session);
}

} // namespace pllua_bg::session
