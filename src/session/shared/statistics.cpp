// Counting what sessions do. See statistics.h.
#include "session/shared/statistics.h"

#include "session/shared/shared_memory.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::session {

namespace {

// Where no memory is shared they are never published: they are the counts of this backend.
uint64 own_counts[kCounters];
bool unpublished;
TimestampTz own_reset; // 0: with the start of the backend

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        publish_counts();
}

} // namespace

void count(Counter counter, uint64 n) {
    own_counts[static_cast<int>(counter)] += n;
    unpublished = true;
}

void count_error(int sqlstate) {
    count(Counter::kErrors);
    if (sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED) count(Counter::kDeadlocks);
    if (sqlstate == ERRCODE_QUERY_CANCELED) count(Counter::kCancelled);
}

void publish_counts() {
    if (!unpublished || shared_area == nullptr) return;
    for (int i = 0; i < kCounters; i++) {
        if (own_counts[i] == 0) continue;
        pg_atomic_fetch_add_u64(&shared_area->counters[i], static_cast<int64>(own_counts[i]));
        own_counts[i] = 0;
    }
    unpublished = false;
}

Counts read_counts() {
    reach_shared_area();
    publish_counts();
    Counts counts;
    counts.shared = shared_area != nullptr;
    if (!counts.shared) {
        memcpy(counts.values, own_counts, sizeof own_counts);
        counts.reset = own_reset == 0 ? MyStartTimestamp : own_reset;
        return counts;
    }
    for (int i = 0; i < kCounters; i++)
        counts.values[i] = pg_atomic_read_u64(&shared_area->counters[i]);
    LWLockAcquire(shared_lock, LW_SHARED);
    counts.reset = shared_area->stats_reset;
    LWLockRelease(shared_lock);
    return counts;
}

void reset_counts() {
    reach_shared_area();
    memset(own_counts, 0, sizeof own_counts);
    own_reset = GetCurrentTimestamp();
    if (shared_area == nullptr) return;
    LWLockAcquire(shared_lock, LW_EXCLUSIVE);
    shared_area->stats_reset = own_reset;
    for (pg_atomic_uint64 &counter : shared_area->counters) pg_atomic_write_u64(&counter, 0);
    LWLockRelease(shared_lock);
}

void initialize_statistics() { RegisterXactCallback(at_transaction_end, nullptr); }

} // namespace pllua_bg::session
