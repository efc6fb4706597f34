// Moving messages between a session's queues and this backend's memory, without waiting; noticing
// that a worker has died. Owns nothing.
#include "session/launcher/launcher.h"

#include <signal.h>

#include "pg/encoding.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "session/launcher/snapshot.h"
#include "session/shared/session_slots.h"
#include "session/shared/statistics.h"

extern "C" {
#include "storage/latch.h"
}

namespace pllua_bg::session {

// A streaming command's rows stay in the queue while this much is waiting to be read here.
static constexpr Size kStreamingWindow = 256 * 1024;
// Batches taken in one go, so that one busy session does not starve the others.
static constexpr int kBatchesAtOnce = 64;

static const char *cause_of_death(Session *session) {
    SegmentHeader *header = session->header;
    if (session->last_words != nullptr) return session->last_words->message;
    if (session->current != nullptr && session->current->failed && session->last_error != nullptr)
        return session->last_error;
    if (header->last_words[0] != '\0') return pg::valid_text(header->last_words);
    if (has_flag(header, kIdleEnd)) return _("The session ended because it was idle for too long.");
    if (!session->started && session->last_error != nullptr) return session->last_error;
    if (known_pid(session) == 0) return _("The worker could not be started.");
    return _("The worker process ended unexpectedly.");
}

void take_death(const Session *session, OwnCommand *own) {
    auto *error = static_cast<ErrorData *>(MemoryContextAllocZero(own->context, sizeof(ErrorData)));
    MemoryContext old = MemoryContextSwitchTo(own->context);
    error->elevel = ERROR;
    error->assoc_context = own->context;
    error->output_to_client = true;
    error->sqlerrcode = ERRCODE_CONNECTION_FAILURE;
    pg::fault("tell-death");
    error->message = pstrdup(has_run(session) ? _("background session was lost")
                                              : _("background session could not be started"));
    error->detail = pstrdup(session->cause_of_death);
    error->context = psprintf(_("background session, pid %d"), session->pid);
    MemoryContextSwitchTo(old);
    own->error = error;
}

// The error of a command that nobody could be told more of: there was no memory for it.
static ErrorData *poor_error() {
    static char message[] = "background session was lost";
    static ErrorData error;
    return pg::static_error(&error, ERRCODE_CONNECTION_FAILURE, message);
}

// What can fail for want of memory comes before anything has changed.
void session_is_gone(Session *session) {
    const char *cause = MemoryContextStrdup(session->context, cause_of_death(session));
    const bool in_order = session->last_command != 0 && session->current == nullptr;
    if (!in_order && (session->last_error == nullptr || session->current != nullptr))
        session->last_error = MemoryContextStrdup(session->context, cause);
    session->gone = true;
    session->cause_of_death = cause;
    release_snapshot(session);
    while (OwnCommand *own = session->current) {
        own->failed = own->lost = true;
        own->state = CommandState::kFailed;
        own->ended = GetCurrentTimestamp();
        own->open = nullptr;
        if (own->context != nullptr) {
            ErrorData *failure = pg::attempt([=] { take_death(session, own); });
            if (failure != nullptr) own->error = poor_error();
            pg::free_error(failure);
        }
        current_is_done(session);
    }
    session->transaction = 'I';
    save_progress(session);
    retire_entry(session->header);
    if (!in_order && !has_flag(session->header, kIdleEnd)) count(Counter::kLost);
    dsm_segment *segment = session->segment;
    session->segment = nullptr;
    session->header = nullptr;
    count_held(session, -static_cast<ptrdiff_t>(channel_release(&session->channel)));
    session->held_backlog = 0;
    dsm_detach(segment);
    log_life(session, "has ended", in_order ? "its last command is done" : cause);
}

bool is_full(const Session *session) {
    return !session->gone && session->current != nullptr && !session->current->discarded &&
           pg::held_would_exceed(0);
}

// What comes stays in the queue, and then with the worker.
static bool is_throttled(const Session *session) {
    const OwnCommand *own = session->current;
    if (own == nullptr || own->discarded) return false;
    return (own->streaming && own->unread > kStreamingWindow) || pg::held_would_exceed(0);
}

// A worker that ends between naming itself the sender of its queue and attaching to it does not
// leave it.
static bool has_left_early(const Session *session) {
    const bool left = !session->started && has_flag(session->header, kWorkerDone);
    pg_read_barrier();
    return left;
}

// An error interrupted the taking apart of a batch: what follows cannot be trusted.
static void give_up(Session *session) {
    session->last_error = nullptr;
    strlcpy(session->header->last_words,
            "A message of the session was lost because of an earlier error.",
            sizeof session->header->last_words);
    pg_atomic_fetch_or_u32(&session->header->flags, kClosing);
    signal_worker(session, SIGUSR2);
    session_is_gone(session);
    session->receiving = false;
}

void pump(Session *session) {
    if (session->gone) return;
    if (session->receiving) {
        give_up(session);
        return;
    }
    if (has_backlog(&session->channel)) {
        (void)send_backlog(&session->channel);
        count_backlog(session);
    }
    for (int i = 0; i < kBatchesAtOnce; i++) {
        if (is_throttled(session)) return;
        const char *batch;
        Size length;
        const bool left = has_left_early(session);
        switch (receive(&session->channel, &batch, &length)) {
        case Received::kBatch:
            session->receiving = true;
            take_batch(session, batch, length);
            session->receiving = false;
            break;
        case Received::kGone: session_is_gone(session); return;
        case Received::kNothing:
            if (left) session_is_gone(session);
            return;
        }
    }
    // There may be more, for which nobody will wake us: whoever waits looks again at once.
    SetLatch(MyLatch);
}

} // namespace pllua_bg::session
