// What this floor registers once in every process: its callbacks, its shared memory.
// Owns nothing.
#include "session/session.h"

#include "pg/steps.h"
#include "session/hooks.h"
#include "session/launcher/launcher.h"
#include "session/launcher/snapshot.h"
#include "session/shared/shared_memory.h"
#include "session/shared/statistics.h"

namespace pllua_bg::session {

Hooks hooks;

void initialize() {
    static const pg::Step steps[] = {
        initialize_shared_memory, initialize_release,    initialize_on_commit,
        initialize_forgotten,     initialize_committers, initialize_pool,
        initialize_orphans,       initialize_snapshots,  initialize_statistics,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}

} // namespace pllua_bg::session
