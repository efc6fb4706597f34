// The end of a session's link: what its commands and its callers are told of it.
// Owns nothing: everything made here belongs to the session or to a command.
#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "session/launcher/launcher.h"
#include "session/shared/statistics.h"

namespace pllua_bg::session {

static const char *cause_of_death(Session *session, const Loss &loss) {
    if (session->fatal != nullptr) return session->fatal->message;
    const OwnCommand *current = session->current;
    if (current != nullptr && current->failure == Failure::kError && session->last_error != nullptr)
        return session->last_error;
    if (loss.cause != nullptr) return loss.cause;
    if (session->life == Life::kStarting && session->last_error != nullptr)
        return session->last_error;
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

static void lose_command(Session *session, OwnCommand *own) {
    own->failure = Failure::kLost;
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

// What can fail for want of memory comes before anything has changed.
void session_is_gone(Session *session, const Loss &loss) {
    const char *cause = MemoryContextStrdup(session->context, cause_of_death(session, loss));
    const bool in_order = session->last_command != 0 && session->current == nullptr;
    if (!in_order && (session->last_error == nullptr || session->current != nullptr))
        session->last_error = MemoryContextStrdup(session->context, cause);
    session->life = has_run(session) ? Life::kEnded : Life::kNeverRan;
    session->cause_of_death = cause;
    while (session->current != nullptr) lose_command(session, session->current);
    session->transaction = 'I';
    if (!in_order && !loss.expected) count(Counter::kLost);
    count_held(session, -static_cast<ptrdiff_t>(session->link->drop()));
    session->held_unsent = 0;
    log_life(session, "has ended", in_order ? "its last command is done" : cause);
}

} // namespace pllua_bg::session
