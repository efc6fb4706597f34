// Letting go of sessions: cancel, detach, close, and the end of the launching backend.
// Owns the backend's exit callback.
#include "session/launcher/launcher.h"

#include <signal.h>

#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/steps.h"
#include "session/launcher/snapshot.h"
#include "session/shared/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
}

namespace pllua_bg::session {

Chain<Session> leaving;

void cancel(Session *session) {
    if (session->gone || session->header == nullptr) return;
    SegmentHeader *header = session->header;
    CommandId started = pg_atomic_read_u64(&header->started);
    CommandId finished = pg_atomic_read_u64(&header->finished);
    CommandId id = started > finished ? started : finished + 1;
    // Who cancels twice, to be sure, must not cancel what the first one has brought about.
    OwnCommand *own = find_command(session, id);
    if (own == nullptr || !own->cleanup) cancel_command(session, id);
}

void cancel_command(Session *session, CommandId id) {
    if (session->gone || session->header == nullptr || id > session->last_sent) return;
    if (id <= pg_atomic_read_u64(&session->header->finished)) return;
    session->spoilt = true;
    count(Counter::kCancels);
    if (OwnCommand *own = find_command(session, id)) own->cancelled = true;
    mark_cancelled(session->header, id);
    signal_worker(session, SIGUSR2);
}

// Commands the queue did not take go into a segment of their own, which the worker reads when the
// queue is at its end.
static void leave_testament(Session *session) {
    Size total = 0;
    StringInfoData rest;
    initStringInfo(&rest);
    Size length;
    while (const char *message = take_backlog(&session->channel, &length)) {
        total += length;
        if (total > MaxAllocSize) elog(ERROR, "too many unsent commands");
        appendBinaryStringInfo(&rest, message, static_cast<int>(length));
    }
    if (rest.len == 0) return;
    dsm_segment *segment = create_segment(sizeof(OverflowSegment) + rest.len);
    auto *overflow = static_cast<OverflowSegment *>(dsm_segment_address(segment));
    overflow->length = rest.len;
    memcpy(overflow + 1, rest.data, rest.len);
    dsm_pin_segment(segment);
    pg_atomic_write_u32(&session->header->testament, dsm_segment_handle(segment));
    if (pg_atomic_fetch_or_u32(&session->header->flags, kTestament) & kWorkerDone)
        dsm_unpin_segment(dsm_segment_handle(segment));
    dsm_detach(segment);
    pfree(rest.data);
}

// What was sent reaches the worker even if it has not started yet.
static void let_finish(Session *session) {
    ErrorData *error = pg::attempt([session] {
        flush(&session->channel);
        if (!send_backlog(&session->channel)) leave_testament(session);
    });
    if (error != nullptr)
        ereport(WARNING, (errmsg("background session will not run all commands that were sent: %s",
                                 error->message)));
    pg::free_error(error);
    pin_for_worker(session->segment, session->header, &session->worker);
}

static void let_go(Session *session) {
    const bool busy = session->last_done < session->last_sent;
    if (session->segment != nullptr)
        log_life(session, busy ? "is let go, with work to finish" : "is let go");
    if (session->segment != nullptr && busy)
        let_finish(session);
    else if (session->segment != nullptr && !session->started && session->worker != nullptr)
        TerminateBackgroundWorker(session->worker);
    forget(session);
}

void detach(Session *session) {
    if (keep_for_reuse(session)) return;
    if (session->snapshot == nullptr || session->last_done == session->last_sent) {
        let_go(session);
        return;
    }
    sessions.remove(session);
    session_count--;
    session->leaves = true;
    leaving.append(session);
}

void let_leaving_go(bool all) {
    Session *after;
    for (Session *session = leaving.first; session != nullptr; session = after) {
        after = session->after;
        if (!all) pump(session);
        if (all || session->snapshot == nullptr) let_go(session);
    }
}

static void end_now(Session *session) {
    if (session->segment != nullptr) {
        log_life(session, "is closed");
        pg_atomic_fetch_or_u32(&session->header->flags, kClosing);
        pid_t pid;
        if (session->worker != nullptr &&
            GetBackgroundWorkerPid(session->worker, &pid) == BGWH_NOT_YET_STARTED)
            TerminateBackgroundWorker(session->worker);
        signal_worker(session, SIGUSR2);
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
    let_leaving_go(true);
    trim_pool(0);
}

static void end_all(int, Datum) {
    end_all_sessions();
    pg::fault("sessions-ended");
    await_claims();
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
        register_end,         initialize_on_commit,  initialize_pool,          initialize_unclaimed,
        initialize_snapshots, initialize_statistics, initialize_shared_memory,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}

} // namespace pllua_bg::session
