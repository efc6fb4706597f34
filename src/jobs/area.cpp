// The shared memory of jobs: getting it, finding a database's ring, putting something in. See
// area.h. Owns the two hooks.
#include "jobs/area.h"

#include "pg/compat.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr char kAreaName[] = "pllua_bg jobs";

shmem_request_hook_type next_request;
shmem_startup_hook_type next_startup;

// The ring of this process's database, as far as it knows.
Ring *known_ring;

int wait_slots() { return Max(4096, 2 * MaxBackends); }

Size slots_offset() { return MAXALIGN(sizeof(Area)); }
Size rings_offset() {
    return MAXALIGN(add_size(slots_offset(), mul_size(wait_slots(), sizeof(WaitSlot))));
}
Size area_size() {
    return add_size(rings_offset(), mul_size(pg::setting_job_databases, sizeof(Ring)));
}

void request() {
    if (next_request != nullptr) next_request();
    RequestAddinShmemSpace(area_size());
    RequestNamedLWLockTranche(kAreaName, 1);
}

// The control file tells how the server was stopped, until recovery begins.
bool was_stopped_cleanly() {
    bool intact = false;
    ControlFileData *control = get_controlfile(DataDir, &intact);
    const bool clean =
        intact && (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);
    pfree(control);
    return clean;
}

void init_ring(Ring *ring) {
    SpinLockInit(&ring->mutex);
    ring->rescan_from = kNoRescan;
}

void fill_area(Area *made) {
    memset(made, 0, area_size());
    made->lock = &GetNamedLWLockTranche(kAreaName)->lock;
    made->crashed = !was_stopped_cleanly();
    made->started = GetCurrentTimestamp();
    pg_atomic_init_u32(&made->launcher, 0);
    pg_atomic_init_u32(&made->probe, 0);
    pg_atomic_init_u32(&made->top, 0);
    char *start = reinterpret_cast<char *>(made);
    made->nslots = wait_slots();
    made->slots = reinterpret_cast<WaitSlot *>(start + slots_offset());
    for (int i = 0; i < made->nslots; i++) pg_atomic_init_u32(&made->slots[i].state, 0);
    made->nrings = pg::setting_job_databases;
    made->rings = reinterpret_cast<Ring *>(start + rings_offset());
    for (int i = 0; i < made->nrings; i++) init_ring(&made->rings[i]);
}

void startup() {
    if (next_startup != nullptr) next_startup();
    bool found;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    area = static_cast<Area *>(ShmemInitStruct(kAreaName, area_size(), &found));
    if (!found) fill_area(area);
    LWLockRelease(AddinShmemInitLock);
}

// Call with the area's lock.
Ring *find_ring(Oid database) {
    for (int i = 0; i < area->nrings; i++)
        if (area->rings[i].database == database) return &area->rings[i];
    return nullptr;
}

// Gives it to the database when nobody needs it. Call with the area's lock.
bool take_ring(Ring *ring, Oid database) {
    SpinLockAcquire(&ring->mutex);
    const bool free = ring->scheduler_pid == 0 && !has_news(ring);
    if (free) {
        ring->database = database;
        ring->leaving = false;
        ring->away = 0;
        ring->failures = 0;
    }
    SpinLockRelease(&ring->mutex);
    return free;
}

// First one that no database has. Call with the area's lock.
Ring *find_free_ring(Oid database) {
    Ring *unowned = find_ring(InvalidOid);
    if (unowned != nullptr && take_ring(unowned, database)) return unowned;
    for (int i = 0; i < area->nrings; i++)
        if (take_ring(&area->rings[i], database)) return &area->rings[i];
    return nullptr;
}

// The least id of news that have no room. Orders count as everything.
int64 least(const News &news) {
    int64 found = news.rescan_from;
    for (int i = 0; i < news.count; i++) found = Min(found, Max(news.ids[i], kAll));
    return found;
}

// Puts them in when the ring is still that of the database; else false.
bool put(Ring *ring, Oid database, const News &news, int *wakes) {
    SpinLockAcquire(&ring->mutex);
    const bool own = ring->database == database;
    if (own) {
        const bool fits = ring->count + static_cast<uint32>(news.count) <= kRingSize;
        ring->rescan_from = Min(ring->rescan_from, fits ? news.rescan_from : least(news));
        for (int i = 0; fits && i < news.count; i++)
            ring->ids[(ring->first + ring->count++) % kRingSize] = news.ids[i];
        *wakes = ring->scheduler_pid == 0 ? -1 : ring->scheduler_number;
    }
    SpinLockRelease(&ring->mutex);
    return own;
}

} // namespace

Area *area = nullptr;

Ring *ring_of(Oid database, bool take) {
    if (known_ring != nullptr && known_ring->database == database) return known_ring;
    LWLockAcquire(area->lock, take ? LW_EXCLUSIVE : LW_SHARED);
    Ring *ring = find_ring(database);
    if (ring == nullptr && take) ring = find_free_ring(database);
    LWLockRelease(area->lock);
    if (database == MyDatabaseId) known_ring = ring;
    return ring;
}

void wake(int proc_number) { SetLatch(&pg::proc_by_number(proc_number)->procLatch); }

void wake_launcher() {
    const uint32 number = pg_atomic_read_u32(&area->launcher);
    if (number != 0) wake(static_cast<int>(number) - 1);
}

void postpone(Ring *ring, TimestampTz now) {
    constexpr int64 kSecond = 1000000;
    constexpr int kMostDoublings = 6;
    const int64 pause = Min(kSecond << Min(ring->failures, kMostDoublings), 60 * kSecond);
    ring->failures++;
    ring->away = Max(ring->away, now + pause);
}

void probe_databases() {
    pg_atomic_write_u32(&area->probe, 1);
    wake_launcher();
}

void publish(Oid database, const News &news) {
    int wakes = -1;
    // Twice: between finding a ring and putting something in it may be given to another database.
    for (int i = 0; i < 2; i++) {
        Ring *ring = ring_of(database, true);
        if (ring == nullptr) break;
        if (!put(ring, database, news, &wakes)) continue;
        if (wakes >= 0)
            wake(wakes);
        else
            wake_launcher();
        return;
    }
    probe_databases();
}

TimestampTz crash_time() { return area != nullptr && area->crashed ? area->started : 0; }

void initialize_area() {
    if (!process_shared_preload_libraries_in_progress || !pg::setting_jobs) return;
    next_request = shmem_request_hook;
    shmem_request_hook = request;
    next_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

} // namespace pllua_bg::jobs
