// What the one scheduler of a database has to do with shared memory: being it, taking what is
// announced, and going without losing anything. Owns whether this process is it.
#include "jobs/area.h"

#include "pg/compat.h"
#include "pg/fault.h"

extern "C" {
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
}

namespace pllua_bg::jobs {

namespace {

// Ids that are copied while the spinlock is held.
constexpr uint32 kChunk = 256;
constexpr int64 kSecond = 1000000; // microseconds
// After so long a scheduler that fails counts as one that has worked.
constexpr int64 kSettled = 60 * kSecond;

Ring *own_ring; // nullptr: this process is no scheduler
TimestampTz since;

bool is_announced(void *) {
    return own_ring != nullptr &&
           (has_news(own_ring) || own_ring->leaving || ConfigReloadPending != 0);
}

const session::Condition kAnnouncement = {is_announced, nullptr};

void at_exit(int, Datum) { resign(End::kKilled); }

// Copies some; 0: there are none.
uint32 take_some(int64 *into) {
    SpinLockAcquire(&own_ring->mutex);
    const uint32 n = Min(own_ring->count, kChunk);
    for (uint32 i = 0; i < n; i++) into[i] = own_ring->ids[(own_ring->first + i) % kRingSize];
    own_ring->first = (own_ring->first + n) % kRingSize;
    own_ring->count -= n;
    SpinLockRelease(&own_ring->mutex);
    return n;
}

void require_scheduler() {
    if (own_ring != nullptr) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("only the scheduler of the database's jobs may do this")));
}

void check_leaving() {
    if (!own_ring->leaving) return;
    ereport(ERROR, (errcode(ERRCODE_ADMIN_SHUTDOWN),
                    errmsg("the scheduler of the database's jobs is asked to leave")));
}

bool reload_configuration() {
    if (ConfigReloadPending == 0) return false;
    ConfigReloadPending = 0;
    ProcessConfigFile(PGC_SIGHUP);
    return true;
}

} // namespace

bool become_scheduler() {
    Ring *ring = ring_of(MyDatabaseId, true);
    if (ring == nullptr) {
        probe_databases();
        refuse_ring(WARNING);
        return false;
    }
    SpinLockAcquire(&ring->mutex);
    const bool free = ring->database == MyDatabaseId && ring->scheduler_pid == 0;
    if (free) {
        ring->scheduler_pid = MyProcPid;
        ring->scheduler_number = pg::my_proc_number();
        ring->schedulers++;
    }
    SpinLockRelease(&ring->mutex);
    if (!free) return false;
    own_ring = ring;
    since = GetCurrentTimestamp();
    before_shmem_exit(at_exit, 0);
    wake_launcher();
    recheck_waiters();
    return true;
}

void resign(End end) {
    if (own_ring == nullptr) return;
    const TimestampTz now = GetCurrentTimestamp();
    Ring *ring = own_ring;
    own_ring = nullptr;
    SpinLockAcquire(&ring->mutex);
    ring->scheduler_pid = 0;
    ring->leaving = false;
    ring->rescan_from = kAll;
    if (end != End::kFailed || now - since >= kSettled) ring->failures = 0;
    if (end == End::kFailed) postpone(ring, now);
    if (end == End::kKilled) ring->away = Max(ring->away, now + kSecond);
    SpinLockRelease(&ring->mutex);
    wake_launcher();
}

void drop_news() {
    SpinLockAcquire(&own_ring->mutex);
    own_ring->count = 0;
    own_ring->rescan_from = kNoRescan;
    SpinLockRelease(&own_ring->mutex);
}

bool leave_if_silent() {
    SpinLockAcquire(&own_ring->mutex);
    const bool silent = !has_news(own_ring);
    if (silent) {
        own_ring->scheduler_pid = 0;
        own_ring->leaving = false;
        own_ring->failures = 0;
    }
    SpinLockRelease(&own_ring->mutex);
    if (silent) own_ring = nullptr;
    return silent;
}

bool is_asked_to_leave() { return own_ring != nullptr && own_ring->leaving; }

bool is_scheduler() { return own_ring != nullptr; }

bool is_launched_by_scheduler() {
    const int launcher = session::launcher_pid();
    if (launcher == 0 || area == nullptr) return false;
    const Ring *ring = ring_of(MyDatabaseId, false);
    return ring != nullptr && ring->database == MyDatabaseId && ring->scheduler_pid == launcher;
}

Announced take_announced() {
    require_scheduler();
    const bool reloaded = reload_configuration();
    check_leaving();
    static int64 taken[kRingSize];
    Announced announced = {taken, 0, kNoRescan, reloaded};
    while (announced.count + kChunk <= kRingSize) {
        const uint32 n = take_some(announced.ids + announced.count);
        if (n == 0) break;
        announced.count += static_cast<int>(n);
    }
    SpinLockAcquire(&own_ring->mutex);
    announced.rescan_from = own_ring->rescan_from;
    own_ring->rescan_from = kNoRescan;
    SpinLockRelease(&own_ring->mutex);
    return announced;
}

const session::Condition *announcement() { return &kAnnouncement; }

bool retire() {
    require_scheduler();
    check_leaving();
    pg::fault("jobs-retire");
    return !has_prepared_transactions() && leave_if_silent();
}

} // namespace pllua_bg::jobs
