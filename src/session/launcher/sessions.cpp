// The sessions of this backend: finding, counting, forgetting, ending.
// Owns the list of sessions.
#include "session/launcher/launcher.h"

#include "pg/encoding.h"
#include "pg/guard.h"
#include "pg/wait.h"

extern "C" {
#include "storage/ipc.h"
#include "utils/acl.h"
}

namespace pllua_bg::session {

pg::LinkedList<Session> sessions;
int session_count = 0;

Session *by_number(uint64 number) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->number == number) return session;
    return nullptr;
}

uint64 number(const Session *session) { return session->number; }

void for_each(void (*visit)(Session *session, void *argument), void *argument) {
    Session *after;
    for (Session *session = sessions.first; session != nullptr; session = after) {
        after = session->after;
        visit(session, argument);
    }
}

void receive_all() {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        receive(session);
    if (draining.first != nullptr) let_drained_go(false);
}

int count_living() {
    receive_all();
    int living = 0;
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        living += is_gone(session) ? 0 : 1;
    return living;
}

void check_owner(const Session *session) {
    if (has_privs_of_role(GetUserId(), session->user)) return;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for background session of role \"%s\"",
                    GetUserNameFromId(session->user, true)),
             errhint("A session may be used by roles that are members of the role it runs as.")));
}

void check_not_restricted() {
    if (InSecurityRestrictedOperation())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("cannot use background sessions within security-restricted operation")));
}

int known_pid(Session *session) {
    if (session->pid == 0) session->pid = session->link->pid();
    return session->pid;
}

bool has_run(const Session *session) {
    return session->life == Life::kRunning || session->life == Life::kEnded || session->ended_here;
}

void raise_gone(const Session *session) {
    const char *cause = session->last_error;
    if (has_run(session))
        ereport(ERROR,
                (errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST), errmsg("background session has ended"),
                 cause == nullptr ? 0 : errdetail("%s", cause)));
    ereport(ERROR,
            (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("background session could not be started"),
             errdetail("%s", cause == nullptr ? "The worker did not start." : cause)));
}

int pid(Session *session) {
    uint64 wanted = session->number;
    while (known_pid(session) == 0) {
        receive_all();
        if (known_pid(session) != 0) break;
        if (is_gone(session)) raise_gone(session);
        (void)pg::wait_latch(1000, pg::WaitEvent::kStart);
        if (by_number(wanted) == nullptr)
            ereport(ERROR, (errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
                            errmsg("background session has ended")));
    }
    session->unused = false;
    return session->pid;
}

// The live session with this pid; else one that has ended with it. `*starting` is one whose pid is
// not known yet.
static Session *look_for(int wanted, Session **starting) {
    Session *ended = nullptr;
    *starting = nullptr;
    for (Session *session = sessions.first; session != nullptr; session = session->after) {
        int known = known_pid(session);
        if (known == wanted && !is_gone(session)) return session;
        if (known == wanted) ended = session;
        if (known == 0 && !is_gone(session)) *starting = session;
    }
    return ended;
}

Session *find(int wanted) {
    for (;;) {
        Session *starting;
        Session *found = look_for(wanted, &starting);
        if (found != nullptr || starting == nullptr) return found;
        receive_all();
        if (known_pid(starting) == 0 && !is_gone(starting))
            (void)pg::wait_latch(1000, pg::WaitEvent::kStart);
    }
}

bool is_own_worker(int pid) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (known_pid(session) == pid) return true;
    return false;
}

Status status(Session *session) {
    receive(session);
    Status result = {};
    result.pid = known_pid(session);
    result.name = NameStr(session->name);
    result.user = session->user;
    result.transaction = session->transaction;
    result.queued = static_cast<int>(session->last_sent - session->last_done);
    result.error = session->last_error;
    OwnCommand *current = current_command(session);
    result.sql = current == nullptr ? nullptr : current->sql;
    result.state = is_gone(session)                   ? State::kGone
                   : session->life == Life::kStarting ? State::kStarting
                   : result.queued > 0                ? State::kBusy
                                                      : State::kIdle;
    return result;
}

const char *state_name(State state) {
    switch (state) {
    case State::kStarting: return "starting";
    case State::kIdle: return "idle";
    case State::kBusy: return "busy";
    case State::kGone: break;
    }
    return "gone";
}

void log_life(Session *session, const char *event, const char *cause) {
    const char *name = NameStr(session->name);
    ereport(DEBUG1, (errmsg_internal("background session %s%s(PID %d) %s%s%s", name,
                                     *name == '\0' ? "" : " ", known_pid(session), event,
                                     cause == nullptr ? "" : ": ", cause == nullptr ? "" : cause),
                     errhidestmt(true), errhidecontext(true)));
}

void free_session(Session *session) {
    if (session->link != nullptr) session->link->release();
    drop_notifications(session);
    count_held(session, -static_cast<ptrdiff_t>(session->held));
    MemoryContextDelete(session->context);
}

void forget(Session *session) {
    if (session->draining) {
        draining.remove(session);
    } else {
        sessions.remove(session);
        session_count--;
    }
    free_session(session);
}

} // namespace pllua_bg::session
