// Getting the shared memory at the start of the server, and anew after a crash.
// Owns the two hooks.
#include "session/shared/shared_memory.h"

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

Size slots_offset() { return MAXALIGN(sizeof(SharedArea)); }

Size area_size() { return add_size(slots_offset(), mul_size(max_worker_processes, sizeof(Slot))); }

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
    area->lock = &GetNamedLWLockTranche(kAreaName)->lock;
    area->stats_reset = GetCurrentTimestamp();
    for (pg_atomic_uint64 &counter : area->counters) pg_atomic_init_u64(&counter, 0);
    area->nslots = max_worker_processes;
    area->slots = reinterpret_cast<Slot *>(reinterpret_cast<char *>(area) + slots_offset());
    for (int i = 0; i < area->nslots; i++) init_slot(&area->slots[i]);
}

void startup() {
    if (next_startup != nullptr) next_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    shared_area = static_cast<SharedArea *>(ShmemInitStruct(kAreaName, area_size(), &found));
    if (!found) fill_area(shared_area);
    LWLockRelease(AddinShmemInitLock);
}

} // namespace

SharedArea *shared_area = nullptr;

void initialize_shared_memory() {
    if (!process_shared_preload_libraries_in_progress) return;
    next_request = shmem_request_hook;
    shmem_request_hook = request;
    next_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace pllua_bg::session
