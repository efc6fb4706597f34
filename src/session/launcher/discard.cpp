// DISCARD ALL ends the sessions of this backend and its pool: a connection pooler sends it before
// somebody else gets the connection. Owns the hook that sees it; it is set when a backend first has
// a session, so that who has none does not pass through it.
#include "session/launcher/launcher.h"

extern "C" {
#include "tcop/utility.h"
}

namespace pllua_bg::session {

namespace {

ProcessUtility_hook_type next_hook;
uint64 last_discarded; // the newest number there was at the last DISCARD ALL

bool is_discard_all(const Node *statement) {
    return IsA(statement, DiscardStmt) &&
           reinterpret_cast<const DiscardStmt *>(statement)->target == DISCARD_ALL;
}

void discard() {
    last_discarded = newest_number();
    while (Session *session = sessions.first) end_now(session);
    settle_committers(); // what is to be done after a commit is done all the same
    trim_pool(0);
}

// The server refuses DISCARD ALL in a transaction, so no code runs here that holds a session.
void process_utility(PlannedStmt *statement, const char *text, bool read_only_tree,
                     ProcessUtilityContext context, ParamListInfo params,
                     QueryEnvironment *environment, DestReceiver *dest,
                     QueryCompletion *completion) {
    const bool discards = is_discard_all(statement->utilityStmt);
    auto *next = next_hook == nullptr ? standard_ProcessUtility : next_hook;
    next(statement, text, read_only_tree, context, params, environment, dest, completion);
    if (discards) discard();
}

} // namespace

bool may_be_discarded(uint64 number) { return number <= last_discarded; }

void initialize_discard() {
    next_hook = ProcessUtility_hook;
    ProcessUtility_hook = process_utility;
}

} // namespace pllua_bg::session
