// Letting go of sessions: cancel, detach, close, and the end of the launching backend.
// Owns the backend's exit callback.
#include "session/launcher/launcher.h"

#include "pg/fault.h"
#include "session/shared/statistics.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
}

namespace pllua_bg::session {

namespace {

// The code that has launched a session may have been cancelled before it had the handle. Who was
// given nothing to do, in a transaction that has failed, is not wanted any more.
void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) keep_unused();
    if (event != XACT_EVENT_ABORT) return;
    Session *after;
    for (Session *session = sessions.first; session != nullptr; session = after) {
        after = session->after;
        if (session->unused) end_now(session);
    }
}

void end_all(int, Datum) {
    end_all_sessions();
    pg::fault("sessions-ended");
    await_orphans();
    publish_counts();
}

} // namespace

void end_now(Session *session) {
    if (!is_gone(session)) {
        log_life(session, "is closed");
        session->link->close();
    }
    forget(session);
}

void cancel(Session *session) {
    if (is_gone(session)) return;
    const CommandId id = session->link->current();
    // Who cancels twice, to be sure, must not cancel what the first one has brought about.
    OwnCommand *own = find_command(session, id);
    if (own == nullptr || !own->cleanup) cancel_command(session, id);
}

void cancel_command(Session *session, CommandId id) {
    if (is_gone(session) || id > session->last_sent || !session->link->cancel(id)) return;
    count(Counter::kCancels);
    if (OwnCommand *own = find_command(session, id)) own->cancelled = true;
}

void detach(Session *session) {
    if (!keep_for_reuse(session)) let_go(session);
}

void close(Session *session) {
    if (!keep_for_reuse(session)) end_now(session);
}

void keep_unused() {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        session->unused = false;
}

void end_all_sessions() {
    while (Session *session = sessions.first) {
        if (session->on_exit == OnExit::kFinish)
            detach(session);
        else
            close(session);
    }
    let_drained_go(true);
    end_committers();
    trim_pool(0);
}

void initialize_at_first_use() {
    static int registered_in = 0;
    if (registered_in == MyProcPid) return;
    before_shmem_exit(end_all, 0);
    initialize_discard();
    registered_in = MyProcPid;
}

void initialize_release() { RegisterXactCallback(at_transaction_end, nullptr); }

} // namespace pllua_bg::session
