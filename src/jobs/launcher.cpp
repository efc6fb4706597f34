// The process that starts schedulers: one at the start of the server for each database, to look
// whether it has jobs; later where something was announced and nobody schedules. It is in no
// database and reads pg_database only. Owns the list of workers that it has asked for and that are
// not schedulers yet.
#include "jobs/area.h"

#include <signal.h>

#include "pg/background_worker.h"
#include "pg/fault.h"
#include "pg/list.h"
#include "pg/settings.h"
#include "pg/wait.h"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/snapmgr.h"
}

extern "C" PLLUA_BG_EXPORT void pllua_bg_jobs_launcher_main(Datum unused);

namespace pllua_bg::jobs {

namespace {

constexpr int64 kMicroseconds = 1000; // of a millisecond
// A look that takes longer does not hold up the others: milliseconds.
constexpr long kMostForProbe = 1000;
constexpr long kAgainWithoutSlot = 1000;
constexpr int64 kListEach = 60 * INT64CONST(1000000);
constexpr int64 kWarnEach = 60 * INT64CONST(1000000);

// A worker that was asked for and is no scheduler yet.
struct Start {
    Start *before;
    Start *after;
    Oid database;
    bool probe;
    TimestampTz asked;
    uint32 schedulers; // that there had been
    BackgroundWorkerHandle *handle;
};

struct Candidate {
    Candidate *before;
    Candidate *after;
    Oid database;
};

pg::LinkedList<Start> starts;
// Databases that are to be looked at, and when they may be listed anew.
pg::LinkedList<Candidate> candidates;
TimestampTz next_list;
TimestampTz warned;
// Nothing is started before that: there was no slot.
TimestampTz no_slot_until;

void launcher_exits(int, Datum) { pg_atomic_write_u32(&area->launcher, 0); }

// A database that nobody can connect to has no jobs to run.
bool is_connectable(Form_pg_database database) {
    return database->datallowconn && database->datconnlimit >= -1;
}

void add_candidate(Oid database) {
    auto *made =
        static_cast<Candidate *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Candidate)));
    made->database = database;
    candidates.append(made);
}

void list_databases() {
    while (Candidate *old = candidates.take_first()) pfree(old);
    StartTransactionCommand();
    Relation relation = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    while (HeapTuple row = heap_getnext(scan, ForwardScanDirection)) {
        auto *database = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
        if (is_connectable(database)) add_candidate(database->oid);
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    CommitTransactionCommand();
    next_list = GetCurrentTimestamp() + kListEach;
}

// Its name in TopMemoryContext; nullptr when it is not there any more, or takes no connections.
char *name_of(Oid database) {
    char *name = nullptr;
    StartTransactionCommand();
    HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (HeapTupleIsValid(row)) {
        auto *form = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
        if (is_connectable(form))
            name = MemoryContextStrdup(TopMemoryContext, NameStr(form->datname));
        ReleaseSysCache(row);
    }
    CommitTransactionCommand();
    return name;
}

Start *start_of(Oid database) {
    Start *start = starts.first;
    while (start != nullptr && start->database != database) start = start->after;
    return start;
}

bool register_worker(Oid database, const char *name, bool probe, BackgroundWorkerHandle **handle) {
    BackgroundWorker worker;
    pg::describe_worker(&worker, kSchedulerFunction, kWorkersType);
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    worker.bgw_extra[0] = probe ? 1 : 0;
    pg_snprintf(worker.bgw_name, BGW_MAXLEN, "pllua_bg scheduler of %s", name);
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    const bool registered = RegisterDynamicBackgroundWorker(&worker, handle);
    MemoryContextSwitchTo(old);
    return registered;
}

void warn_of_slots(const char *name) {
    const TimestampTz now = GetCurrentTimestamp();
    no_slot_until = now + kAgainWithoutSlot * kMicroseconds;
    if (warned != 0 && now - warned < kWarnEach) return;
    warned = now;
    ereport(WARNING,
            (errmsg("no free worker slot for the scheduler of jobs in database \"%s\"", name),
             errdetail("Jobs wait until there is one."),
             errhint("You may need to increase max_worker_processes.")));
}

// Nothing is to be scheduled in a database that is no more.
void forget_ring(Oid database) {
    Ring *ring = ring_of(database, false);
    if (ring == nullptr) return;
    SpinLockAcquire(&ring->mutex);
    if (ring->database == database && ring->scheduler_pid == 0) {
        ring->count = 0;
        ring->rescan_from = kNoRescan;
    }
    SpinLockRelease(&ring->mutex);
}

// False when there is no slot.
bool start(Oid database, bool probe) {
    char *name = name_of(database);
    const Ring *ring = ring_of(database, false);
    const uint32 schedulers = ring == nullptr ? 0 : ring->schedulers;
    if (name == nullptr) {
        forget_ring(database);
        return true;
    }
    BackgroundWorkerHandle *handle = nullptr;
    const bool registered = register_worker(database, name, probe, &handle);
    if (registered) {
        auto *made = static_cast<Start *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Start)));
        made->database = database;
        made->probe = probe;
        made->asked = GetCurrentTimestamp();
        made->schedulers = schedulers;
        made->handle = handle;
        starts.append(made);
    } else {
        warn_of_slots(name);
    }
    pfree(name);
    return registered;
}

// The worker has ended. Where it was to become a scheduler, there was none, and one is still
// wanted, something has kept it from that.
void note_end(const Start *ended) {
    Ring *ring = ended->probe ? nullptr : ring_of(ended->database, false);
    if (ring == nullptr) return;
    const TimestampTz now = GetCurrentTimestamp();
    SpinLockAcquire(&ring->mutex);
    if (ring->database == ended->database && is_wanted(ring) &&
        ring->schedulers == ended->schedulers)
        postpone(ring, now);
    SpinLockRelease(&ring->mutex);
}

bool is_scheduled(Oid database) {
    const Ring *ring = ring_of(database, false);
    return ring != nullptr && ring->database == database && ring->scheduler_pid != 0;
}

// Forgets those that are schedulers by now, or have ended.
void settle_starts() {
    Start *after;
    for (Start *one = starts.first; one != nullptr; one = after) {
        after = one->after;
        pid_t pid;
        const bool ended = GetBackgroundWorkerPid(one->handle, &pid) == BGWH_STOPPED;
        if (!ended && !is_scheduled(one->database)) continue;
        if (ended) note_end(one);
        starts.remove(one);
        pfree(one->handle);
        pfree(one);
    }
}

// The sooner of two waits in milliseconds; negative: without limit.
long sooner(long one, long other) {
    if (one < 0 || other < 0) return Max(one, other);
    return Min(one, other);
}

// Starts schedulers for rings that want one; how long to wait until the next wants one.
long serve_rings() {
    long wait = -1;
    for (int i = 0; i < area->nrings; i++) {
        Ring *ring = &area->rings[i];
        SpinLockAcquire(&ring->mutex);
        const Oid database = is_wanted(ring) ? ring->database : InvalidOid;
        const TimestampTz away = ring->away;
        SpinLockRelease(&ring->mutex);
        if (!OidIsValid(database) || start_of(database) != nullptr) continue;
        const long rest = pg::milliseconds_until(away);
        if (rest > 0)
            wait = sooner(wait, rest);
        else if (!start(database, false))
            return kAgainWithoutSlot;
    }
    return wait;
}

bool is_probing() {
    const TimestampTz oldest = GetCurrentTimestamp() - kMostForProbe * kMicroseconds;
    for (const Start *one = starts.first; one != nullptr; one = one->after)
        if (one->probe && one->asked > oldest) return true;
    return false;
}

// Looks into databases one at a time; how long to wait.
long serve_candidates() {
    while (candidates.first != nullptr) {
        if (is_probing()) return kMostForProbe;
        const Oid database = candidates.first->database;
        if (!is_scheduled(database) && start_of(database) == nullptr && !start(database, true))
            return kAgainWithoutSlot;
        pfree(candidates.take_first());
    }
    return -1;
}

long serve() {
    settle_starts();
    const long until_list = pg::milliseconds_until(next_list);
    const bool list = pg_atomic_read_u32(&area->probe) != 0;
    if (list && until_list == 0) {
        pg_atomic_write_u32(&area->probe, 0);
        list_databases();
    }
    const long pause = pg::milliseconds_until(no_slot_until);
    if (pause > 0) return pause;
    long wait = sooner(serve_rings(), list && until_list > 0 ? until_list : -1);
    if (pg::milliseconds_until(no_slot_until) == 0) wait = sooner(wait, serve_candidates());
    return wait;
}

void run() {
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    if (area == nullptr) return;
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    pg::name_wait_events();
    before_shmem_exit(launcher_exits, 0);
    pg_atomic_write_u32(&area->launcher, static_cast<uint32>(pg::my_proc_number()) + 1);
    pg_atomic_write_u32(&area->probe, 1);
    // Another exit code than 0, so that it is started again unless the server stops.
    while (!ShutdownRequestPending) {
        (void)pg::wait_latch(serve(), pg::WaitEvent::kJobs);
        if (ConfigReloadPending == 0) continue;
        ConfigReloadPending = 0;
        ProcessConfigFile(PGC_SIGHUP);
    }
    proc_exit(1);
}

} // namespace

void initialize_launcher() {
    // pg_upgrade starts the old server, which is to stay as it is.
    if (!process_shared_preload_libraries_in_progress || !pg::setting_jobs || IsBinaryUpgrade)
        return;
    BackgroundWorker worker;
    pg::describe_worker(&worker, kLauncherFunction, "pllua_bg launcher");
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    worker.bgw_notify_pid = 0;
    strlcpy(worker.bgw_name, "pllua_bg launcher", BGW_MAXLEN);
    RegisterBackgroundWorker(&worker);
}

} // namespace pllua_bg::jobs

void pllua_bg_jobs_launcher_main(Datum) { pllua_bg::jobs::run(); }
