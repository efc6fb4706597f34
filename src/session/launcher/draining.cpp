// Sessions that are let go to finish what they were sent. Those whose worker has yet to take the
// snapshot of this transaction are kept until it has. Owns the list of them.
#include "session/launcher/launcher.h"

namespace pllua_bg::session {

namespace {

pg::LinkedList<Session> draining;

bool has_snapshot_to_take(const Session *session) {
    return session->local != nullptr && session->local->snapshot != nullptr;
}

// The link is told; the session is to be freed.
void tell_link(Session *session) {
    if (is_gone(session)) return;
    const bool busy = session->last_done < session->last_sent;
    log_life(session, busy ? "is let go, with work to finish" : "is let go");
    session->link->let_go(busy);
}

} // namespace

void let_go(Session *session) {
    if (!has_snapshot_to_take(session) || session->last_done == session->last_sent) {
        tell_link(session);
        forget(session);
        return;
    }
    sessions.remove(session);
    session_count--;
    draining.append(session);
}

bool is_any_draining() { return draining.first != nullptr; }

void let_drained_go(bool all) {
    Session *after;
    for (Session *session = draining.first; session != nullptr; session = after) {
        after = session->after;
        if (!all) receive(session);
        if (!all && has_snapshot_to_take(session)) continue;
        tell_link(session);
        draining.remove(session);
        free_session(session);
    }
}

} // namespace pllua_bg::session
