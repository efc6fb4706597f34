// Who waits for a worker slot. slot_waiters.h has the contracts. Owns nothing.
#include "session/shared/slot_waiters.h"

extern "C" {
#include "storage/lock.h"
}

namespace pllua_bg::session {

namespace {

// Those who wait do not keep each other out; the mode that is asked for is never taken.
constexpr LOCKMODE kWaiting = RowExclusiveLock;
constexpr LOCKMODE kAsked = ShareLock;

// Slots are the cluster's, so no database is named.
LOCKTAG slot_lock_tag() {
    constexpr uint16 kSlotLock = 0xB7;
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, InvalidOid, 0, 0, kSlotLock);
    return tag;
}

} // namespace

void begin_slot_wait() {
    const LOCKTAG tag = slot_lock_tag();
    (void)LockAcquire(&tag, kWaiting, false, false);
}

void end_slot_wait() {
    const LOCKTAG tag = slot_lock_tag();
    (void)LockRelease(&tag, kWaiting, false);
}

bool is_slot_awaited() {
    const LOCKTAG tag = slot_lock_tag();
    int count = 0;
    pfree(GetLockConflicts(&tag, kAsked, &count));
    return count > 0;
}

} // namespace pllua_bg::session
