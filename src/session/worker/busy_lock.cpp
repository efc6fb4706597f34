// The worker's side of the lock that shows the deadlock detector what its launcher waits for.
// Owns nothing.
#include "session/shared/busy_lock.h"

#include "pg/compat.h"
#include "session/worker/worker.h"

namespace pllua_bg::session {

namespace {

bool has_busy_lock() { return worker.header != nullptr; }

} // namespace

void take_busy_lock() {
    if (!has_busy_lock()) return;
    const LOCKTAG tag = busy_lock_tag(worker.header);
    // The command may have released it: pg_advisory_unlock_all(), DISCARD ALL.
    if (!pg::holds_lock(&tag, ExclusiveLock)) (void)LockAcquire(&tag, ExclusiveLock, true, false);
}

void release_busy_lock() {
    if (!has_busy_lock()) return;
    const LOCKTAG tag = busy_lock_tag(worker.header);
    if (pg::holds_lock(&tag, ExclusiveLock)) (void)LockRelease(&tag, ExclusiveLock, true);
}

void yield_busy_lock() {
    if (worker.header == nullptr || !has_flag(worker.header, kEdge)) return;
    release_busy_lock();
    take_busy_lock();
}

} // namespace pllua_bg::session
