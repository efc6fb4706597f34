// What sessions say when they are asked: how many live, their pids, their states, what has come for
// them. Whoever asks receives first. Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/wait.h"

namespace pllua_bg::session {

namespace {

// The live session with this pid; else one that has ended with it. `*starting` is one whose pid is
// not known yet.
Session *look_for(int wanted, Session **starting) {
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

} // namespace

void receive_all() {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        receive(session);
    let_drained_go(false);
}

int count_living() {
    receive_all();
    int living = 0;
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        living += is_gone(session) ? 0 : 1;
    return living;
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
    tell(session);
    return session->pid;
}

Session *find(int wanted) {
    for (;;) {
        Session *starting;
        Session *found = look_for(wanted, &starting);
        if (found != nullptr) tell(found);
        if (found != nullptr || starting == nullptr) return found;
        receive_all();
        if (known_pid(starting) == 0 && !is_gone(starting))
            (void)pg::wait_latch(1000, pg::WaitEvent::kStart);
    }
}

Status status(Session *session) {
    receive(session);
    Status result = {};
    result.pid = known_pid(session);
    result.name = NameStr(session->name);
    result.user = session->user;
    result.database = session->database;
    result.server = NameStr(session->server);
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

Notification *next_notification(Session *session) {
    receive(session);
    return first_notification(session);
}

} // namespace pllua_bg::session
