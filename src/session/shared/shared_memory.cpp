// Getting the shared memory at the start of the server, and anew after a crash; or as a segment.
// Owns the two hooks.
#include "session/shared/shared_memory.h"

#include "pg/compat_shared.h"
#include "pg/reserve.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
}

namespace pllua_bg::session {

namespace {

constexpr char kAreaName[] = "pllua_bg";

shmem_request_hook_type next_request;
shmem_startup_hook_type next_startup;
bool is_leaving;

Size slots_offset() { return MAXALIGN(sizeof(SharedArea)); }

Size area_size() { return add_size(slots_offset(), mul_size(max_worker_processes, sizeof(Slot))); }

Slot *slots_of(SharedArea *area) {
    return reinterpret_cast<Slot *>(reinterpret_cast<char *>(area) + slots_offset());
}

void request() {
    if (next_request != nullptr) next_request();
    RequestAddinShmemSpace(area_size());
    RequestNamedLWLockTranche(kAreaName, 1);
}

void init_slot(Slot *slot) {
    memset(slot, 0, sizeof *slot);
    slot->entry.use = Use::kFree;
    pg_atomic_init_u64(&slot->sent, 0);
    SpinLockInit(&slot->mutex);
}

void fill_area(SharedArea *area) {
    memset(area, 0, area_size());
    area->stats_reset = GetCurrentTimestamp();
    for (pg_atomic_uint64 &counter : area->counters) pg_atomic_init_u64(&counter, 0);
    area->nslots = max_worker_processes;
    for (int i = 0; i < area->nslots; i++) init_slot(&slots_of(area)[i]);
}

void use_area(SharedArea *area, LWLock *lock) {
    shared_lock = lock;
    shared_slots = slots_of(area);
    shared_area = area;
}

// A segment is somewhere else in each process.
void fill_segment(void *place) {
    auto *area = static_cast<SharedArea *>(place);
    fill_area(area);
    LWLockInitialize(&area->own_lock, pg::new_tranche(kAreaName));
}

// When the process ends the server detaches it from the segment.
void leave_segment(int, Datum) {
    is_leaving = true;
    if (shared_area != nullptr && shared_lock == &shared_area->own_lock) shared_area = nullptr;
}

void startup() {
    if (next_startup != nullptr) next_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    auto *area = static_cast<SharedArea *>(ShmemInitStruct(kAreaName, area_size(), &found));
    if (!found) fill_area(area);
    use_area(area, &GetNamedLWLockTranche(kAreaName)->lock);
    LWLockRelease(AddinShmemInitLock);
}

} // namespace

SharedArea *shared_area = nullptr;
LWLock *shared_lock = nullptr;
Slot *shared_slots = nullptr;

void reach_shared_area() {
    if (shared_area != nullptr || is_leaving || !IsUnderPostmaster) return;
    // Libraries of several versions may be loaded: each has the area that it knows.
    char name[NAMEDATALEN];
    pg_snprintf(name, sizeof name, "%s %zu", kAreaName, area_size());
    auto *area = static_cast<SharedArea *>(pg::map_named_segment(name, area_size(), fill_segment));
    if (area == nullptr) return;
    pg::name_tranche(area->own_lock.tranche, kAreaName);
    use_area(area, &area->own_lock);
}

void initialize_shared_memory() {
    if (!process_shared_preload_libraries_in_progress) {
        before_shmem_exit(leave_segment, 0);
        return;
    }
    next_request = shmem_request_hook;
    shmem_request_hook = request;
    next_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace pllua_bg::session
