// What follows a commit. See after_commit.h. Owns whether it has still to be done.
#include "pg/after_commit.h"

#include "pg/hooks.h"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace pllua_bg::pg {

namespace {

bool committed; // and the hook has not been called yet

void at_transaction_end(XactEvent event, void *) { committed = event == XACT_EVENT_COMMIT; }

// Among what is released at the end of a transaction that of the whole is the last.
void at_release(ResourceReleasePhase phase, bool, bool is_whole, void *) {
    if (!committed || !is_whole || phase != RESOURCE_RELEASE_AFTER_LOCKS) return;
    committed = false;
    hooks.commit_is_known();
}

} // namespace

void initialize_after_commit() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterResourceReleaseCallback(at_release, nullptr);
}

} // namespace pllua_bg::pg
