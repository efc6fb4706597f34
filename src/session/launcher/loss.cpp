// The end of a session's link: what its commands and its callers are told of it.
// Owns nothing: everything made here belongs to the session or to a command.
#include "pg/guard.h"
#include "session/launcher/launcher.h"
#include "session/shared/statistics.h"

namespace pllua_bg::session {

namespace {

const char *cause_of_death(Session *session, const Loss &loss) {
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

// A session elsewhere that ended before it did anything says whether it may be there, or why the
// other server has not let it in. That somebody
// has ended it, or a timeout, is no refusal.
bool is_refused(const Session *session, const Loss &loss) {
    return (is_elsewhere(session) || (is_remote(session) && session->last_done == 0)) &&
           session->fatal != nullptr && loss.idle &&
           ERRCODE_TO_CATEGORY(session->fatal->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION;
}

// The error of a command that nobody could be told more of: there was no memory for it.
ErrorData *poor_error() {
    static char message[] = "background session was lost";
    static ErrorData error;
    return pg::static_error(&error, ERRCODE_CONNECTION_FAILURE, message);
}

void lose_command(Session *session, OwnCommand *own) {
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

} // namespace

// What can fail for want of memory comes before anything has changed.
void session_is_gone(Session *session, const Loss &loss) {
    const char *cause = MemoryContextStrdup(session->context, cause_of_death(session, loss));
    const bool in_order = session->last_command != 0 && session->current == nullptr;
    if (!in_order && (session->last_error == nullptr || session->current != nullptr))
        session->last_error = MemoryContextStrdup(session->context, cause);
    session->life = has_run(session) ? Life::kEnded : Life::kNeverRan;
    session->cause_of_death = cause;
    session->refused = is_refused(session, loss);
    while (session->current != nullptr) lose_command(session, session->current);
    session->transaction = 'I';
    if (!in_order && !loss.expected) count(Counter::kLost);
    count_held(session, -static_cast<ptrdiff_t>(session->link->drop()));
    session->held_unsent = 0;
    log_life(session, "has ended", in_order ? "its last command is done" : cause);
}

} // namespace pllua_bg::session
