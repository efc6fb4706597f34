// Letting go of sessions: cancel, detach, close, and the end of the launching backend.
// Owns the backend's exit callback.
#include "session/launcher/launcher.h"
#include "session/launcher/snapshot.h"

#include "pg/fault.h"
#include "pg/steps.h"
#include "session/shared/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
}

namespace pllua_bg::session {

pg::LinkedList<Session> draining;

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

static void let_go(Session *session) {
    if (!is_gone(session)) {
        const bool busy = session->last_done < session->last_sent;
        log_life(session, busy ? "is let go, with work to finish" : "is let go");
        session->link->let_go(busy);
    }
    forget(session);
}

static bool has_snapshot_to_take(const Session *session) {
    return session->local != nullptr && session->local->snapshot != nullptr;
}

void detach(Session *session) {
    if (keep_for_reuse(session)) return;
    if (!has_snapshot_to_take(session) || session->last_done == session->last_sent) {
        let_go(session);
        return;
    }
    sessions.remove(session);
    session_count--;
    session->draining = true;
    draining.append(session);
}

void let_drained_go(bool all) {
    Session *after;
    for (Session *session = draining.first; session != nullptr; session = after) {
        after = session->after;
        if (!all) receive(session);
        if (all || !has_snapshot_to_take(session)) let_go(session);
    }
}

static void end_now(Session *session) {
    if (!is_gone(session)) {
        log_life(session, "is closed");
        session->link->close();
    }
    forget(session);
}

void close(Session *session) {
    if (!keep_for_reuse(session)) end_now(session);
}

void keep_unused() {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        session->unused = false;
}

// The code that has launched a session may have been cancelled before it had the handle. Who was
// given nothing to do, in a transaction that has failed, is not wanted any more.
static void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) keep_unused();
    if (event != XACT_EVENT_ABORT) return;
    Session *after;
    for (Session *session = sessions.first; session != nullptr; session = after) {
        after = session->after;
        if (session->unused) end_now(session);
    }
}

void end_all_sessions() {
    while (Session *session = sessions.first) {
        if (session->on_exit == OnExit::kFinish)
            detach(session);
        else
            close(session);
    }
    let_drained_go(true);
    trim_pool(0);
}

static void end_all(int, Datum) {
    end_all_sessions();
    pg::fault("sessions-ended");
    await_orphans();
    publish_counts();
}

void initialize_at_first_use() {
    static int registered_in = 0;
    if (registered_in == MyProcPid) return;
    before_shmem_exit(end_all, 0);
    registered_in = MyProcPid;
}

static void register_end() { RegisterXactCallback(at_transaction_end, nullptr); }

void initialize() {
    static const pg::Step steps[] = {
        register_end,         initialize_on_commit,  initialize_pool,          initialize_orphans,
        initialize_snapshots, initialize_statistics, initialize_shared_memory,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}

} // namespace pllua_bg::session
