// What all backends of the cluster share about sessions: where the library was preloaded, memory of
// the server; else, from PostgreSQL 17 on, a segment that the server knows by its name and the
// first who needs it makes. Owns the area: the counters of bg.stat and an entry for each worker
// slot.
#pragma once

#include "session/shared/statistics.h"

extern "C" {
#include "port/atomics.h"
#include "storage/lwlock.h"
}

namespace pllua_bg::session {

struct Slot; // session_slots.h

struct SharedArea {
    LWLock own_lock; // of a segment
    TimestampTz stats_reset;
    pg_atomic_uint64 counters[kCounters];
    int nslots; // max_worker_processes
};

// nullptr where there is none, or this process has not needed it yet.
extern SharedArea *shared_area;
extern LWLock *shared_lock; // guards what is not atomic and has no guard of its own
extern Slot *shared_slots;

// Makes the area of this process's: attaches to the segment, or makes it. Errors: pg.
void reach_shared_area();

// Asks for the memory when the library is being preloaded. To be called before whatever uses it
// when the process ends. Errors: pg.
void initialize_shared_memory();

} // namespace pllua_bg::session
