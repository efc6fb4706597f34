// Who waits for a worker slot. slot_waiters.h has the contracts. Owns the locks of this backend.
#include "session/shared/slot_waiters.h"

extern "C" {
#include "storage/lock.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::session {

namespace {

// Those who wait do not keep each other out; the mode that is asked for is never taken.
constexpr LOCKMODE kWaiting = RowExclusiveLock;
constexpr LOCKMODE kAsked = ShareLock;

// Who waits has an age, and holds the lock of each age up to his own: at first 0, the next one
// after so many milliseconds, each further one after twice the time of the one before.
constexpr int64 kFirstAge = 50;
constexpr int kOldest = 15;

TimestampTz wait_began;
int own_age;

// Slots are the cluster's, so no database is named.
LOCKTAG slot_lock_tag(int age) {
    constexpr uint16 kSlotLock = 0xB7;
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, InvalidOid, 0, static_cast<uint32>(age), kSlotLock);
    return tag;
}

void hold(int age) {
    const LOCKTAG tag = slot_lock_tag(age);
    (void)LockAcquire(&tag, kWaiting, false, false);
}

bool is_held_by_others(int age) {
    const LOCKTAG tag = slot_lock_tag(age);
    int count = 0;
    pfree(GetLockConflicts(&tag, kAsked, &count));
    return count > 0;
}

} // namespace

void begin_slot_wait(double waited) {
    wait_began = GetCurrentTimestamp() - static_cast<int64>(waited * 1e6);
    own_age = 0;
    hold(0);
}

void end_slot_wait() {
    for (int age = 0; age <= own_age; age++) {
        const LOCKTAG tag = slot_lock_tag(age);
        (void)LockRelease(&tag, kWaiting, false);
    }
}

bool is_next_in_line() {
    const int64 waited = (GetCurrentTimestamp() - wait_began) / 1000;
    while (own_age < kOldest && waited >= kFirstAge << own_age) {
        hold(own_age + 1);
        own_age++;
    }
    return own_age == kOldest || !is_held_by_others(own_age + 1);
}

bool is_slot_awaited() { return is_held_by_others(0); }

} // namespace pllua_bg::session
