// Sending what a session's link has taken and receiving what it brings, without waiting: dispatch()
// gives each message to the session or to the command it belongs to. Owns nothing.
#include "pg/held.h"
#include "session/launcher/launcher.h"
#include "session/shared/statistics.h"

extern "C" {
#include "storage/latch.h"
}

namespace pllua_bg::session {

namespace {

// A streaming command's rows stay with the link while this much is waiting to be read here.
constexpr Size kStreamingWindow = 256 * 1024;
// Batches taken in one go, so that one busy session does not starve the others.
constexpr int kBatchesAtOnce = 64;

void remember_error(Session *session, const char *message) {
    char *copy = MemoryContextStrdup(session->context, message);
    if (session->last_error != nullptr) pfree(session->last_error);
    session->last_error = copy;
}

// An error of the command, or of the worker while it has none: who asks for the session's state
// sees it, and it may be the cause of the death that follows.
void note_error(Session *session, OwnCommand *own, const ReportMessage &report) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg error", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    ErrorData *error = make_error(session, report);
    MemoryContextSwitchTo(old);
    remember_error(session, error->message);
    if (own != nullptr) {
        count_error(error->sqlerrcode);
        trace_error(own, error->sqlerrcode, error->message);
    }
    if (error->elevel > ERROR)
        session->fatal = error;
    else
        MemoryContextDelete(context);
}

void take_error(Session *session, OwnCommand *own, const Message &message) {
    // Of a command the first counts.
    if (own != nullptr && own->failure != Failure::kNone) own = nullptr;
    note_error(session, own, message.report);
    if (own == nullptr) return;
    own->failure = Failure::kError;
    keep_message(session, own, message);
}

// One that comes while no command is pending.
void take_early_notice(Session *session, const ReportMessage &report) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg notice", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    session->early_notices.append(make_notice(session, report));
    MemoryContextSwitchTo(old);
}

void take_ready(Session *session, const ReadyMessage &ready) {
    if (session->life == Life::kStarting) log_life(session, "is ready");
    session->life = Life::kRunning;
    session->transaction = ready.transaction;
    while (session->current != nullptr && session->current->id <= ready.command) {
        OwnCommand *own = session->current;
        own->state =
            own->failure != Failure::kNone ? CommandState::kFailed : CommandState::kComplete;
        own->begun = ready.begun;
        own->ended = ready.ended;
        current_is_done(session);
    }
    OwnCommand *next = session->current;
    // What the worker has reported while it was idle is no error of a command it has not begun.
    if (next != nullptr) forget_error(session, next);
    if (next != nullptr && next->cancelled) session->link->remind_of_cancel(next->id);
}

// What comes stays with the link, and then with the worker.
bool is_throttled(const Session *session) {
    const OwnCommand *own = session->current;
    if (own == nullptr || own->discarded) return false;
    return (own->streaming && own->unread > kStreamingWindow) || !pg::take_held_room(0);
}

// An error interrupted the taking of messages: what follows cannot be trusted.
void give_up(Session *session) {
    session->last_error = nullptr;
    session->link->close();
    session_is_gone(session,
                    {"A message of the session was lost because of an earlier error.", false});
    session->receiving = false;
}

void take_batch(Session *session, Size length) {
    session->receiving = true;
    (void)known_pid(session);
    count(Counter::kBytes, length);
    Message message;
    while (session->link->next(&message)) dispatch(session, message);
    session->receiving = false;
}

} // namespace

void dispatch(Session *session, const Message &message) {
    OwnCommand *own = session->current;
    switch (message.type) {
    case MessageType::kReady:
        take_ready(session, message.ready); // frees the command's memory when nobody wants it
        return;
    case MessageType::kError: take_error(session, own, message); return;
    case MessageType::kNotification: take_notification(session, message.notification); return;
    case MessageType::kNotice:
        if (own == nullptr) take_early_notice(session, message.report);
        break;
    case MessageType::kRows: count(Counter::kRows, message.rows.nrows); break;
    case MessageType::kColumns:
    case MessageType::kTag: break;
    default: elog(ERROR, "unknown message of a background session");
    }
    if (own != nullptr) keep_message(session, own, message);
}

bool is_full(const Session *session) {
    return !is_gone(session) && session->current != nullptr && !session->current->discarded &&
           !pg::take_held_room(0);
}

void flush(Session *session) {
    const Size now = session->link->flush();
    if (now == session->held_unsent) return;
    count_held(session, static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(session->held_unsent));
    session->held_unsent = now;
}

void receive(Session *session) {
    if (is_gone(session)) return;
    if (session->receiving) {
        give_up(session);
        return;
    }
    flush(session);
    for (int i = 0; i < kBatchesAtOnce; i++) {
        if (is_throttled(session)) return;
        Size length;
        switch (session->link->receive(&length)) {
        case Received::kBatch: take_batch(session, length); break;
        case Received::kGone: session_is_gone(session, session->link->loss()); return;
        case Received::kNothing: return;
        }
    }
    // There may be more, for which nobody will wake us: whoever waits looks again at once.
    SetLatch(MyLatch);
}

} // namespace pllua_bg::session
