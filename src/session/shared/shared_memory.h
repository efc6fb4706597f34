// What all backends of the cluster share about sessions; there is nothing of it unless the library
// was preloaded. Owns the area: the counters of bg.stat and an entry for each worker slot.
#pragma once

#include "session/shared/statistics.h"

extern "C" {
#include "port/atomics.h"
#include "storage/lwlock.h"
}

namespace pllua_bg::session {

struct Slot; // session_slots.h

struct SharedArea {
    LWLock *lock; // guards what is not atomic and has no guard of its own
    TimestampTz stats_reset;
    pg_atomic_uint64 counters[kCounters];
    int nslots; // max_worker_processes
    Slot *slots;
};

// nullptr without preloading.
extern SharedArea *shared_area;

// Asks for the memory when the library is being preloaded. Errors: none.
void initialize_shared_memory();

} // namespace pllua_bg::session
