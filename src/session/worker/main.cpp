// A session's worker process: finding its segment, becoming the user, taking over settings,
// signals, and the end. Owns the signal handlers.
#include "session/worker/worker.h"

#include <signal.h>

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"
#include "session/worker/idle.h"

extern "C" {
#include "access/xact.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/backend_status.h"
}

extern "C" PLLUA_BG_EXPORT void pllua_bg_worker_main(Datum argument);

namespace pllua_bg::session {

namespace {

// SIGUSR2 is the launcher's way to say: look at the segment. Async-signal-safe.
void notice_launcher() {
    int saved_errno = errno;
    SegmentHeader *header = worker.header;
    if (header != nullptr) {
        CommandId running = worker.running;
        bool closing = has_flag(header, kClosing);
        // By way of SIGINT, so that all who watch for a cancel learn of it.
        if (running != 0 && (closing || is_cancelled(header, running)))
            (void)kill(MyProcPid, SIGINT);
        if (has_flag(header, kRecheck)) {
            pg_atomic_fetch_and_u32(&header->flags, ~kRecheck);
            CheckDeadLockAlert();
        }
    }
    SetLatch(MyLatch);
    errno = saved_errno;
}

// A command that catches its cancellation does not keep a session alive whose launcher wants it
// to end.
void watch_subtransactions(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    if (event != SUBXACT_EVENT_ABORT_SUB || worker.header == nullptr) return;
    if (!has_flag(worker.header, kClosing) || worker.running == 0) return;
    ProcDiePending = true;
    InterruptPending = true;
}

void set_signal_handlers() {
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGUSR2, [](auto...) { notice_launcher(); });
}

// The segment goes: nothing can be sent any more.
void segment_goes(dsm_segment *, Datum) {
    remove_output();
    worker.header = nullptr;
    worker.segment = nullptr;
}

// An overflow segment that nobody has read must not stay behind.
void worker_exits(int, Datum) {
    release_entry();
    SegmentHeader *header = worker.header;
    if (header == nullptr) return;
    // The server does not release locks of who has not connected yet.
    release_busy_lock();
    forget_setup(header);
    flush(&worker.channel);
    uint32 before = pg_atomic_fetch_or_u32(&header->flags, kWorkerDone);
    leave_groups();
    if ((before & kOverflow) && !worker.overflow_read)
        dsm_unpin_segment(pg_atomic_read_u32(&header->overflow));
}

// Fails where the file of the library was replaced since the launcher has loaded it.
void check_version(const SegmentHeader *header) {
    if (header->version == kSegmentVersion) return;
    ereport(FATAL, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("background session was launched by another version of the library"),
                    errhint("A connection keeps the library that it has loaded: reconnect.")));
}

// Attaches to the segment; false when the launcher is gone and took it along.
bool attach(dsm_handle handle) {
    worker.segment = dsm_attach(handle);
    if (worker.segment == nullptr) return false;
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(worker.segment));
    if (header->magic != kSegmentMagic) return false;
    check_version(header);
    uint64 cookie;
    memcpy(&cookie, MyBgworkerEntry->bgw_extra, sizeof cookie);
    if (header->cookie != cookie) return false;
    worker.header = header;
    session_depth = header->depth;
    pg_atomic_write_u32(&header->worker_pid, static_cast<uint32>(MyProcPid));
    pg_atomic_write_u32(&header->worker_number, static_cast<uint32>(pg::my_proc_number()) + 1);
    adopt_entry(header);
    if (pg_atomic_fetch_or_u32(&header->flags, kAttached) & kPinned) dsm_unpin_segment(handle);
    return true;
}

void open_channel() {
    SegmentHeader *header = worker.header;
    MemoryContextSwitchTo(TopMemoryContext);
    shm_mq_set_receiver(queue_to_worker(header), MyProc);
    shm_mq_set_sender(queue_to_launcher(header), MyProc);
    pg::fault("worker-channel");
    shm_mq_handle *in = shm_mq_attach(queue_to_worker(header), worker.segment, nullptr);
    shm_mq_handle *out = shm_mq_attach(queue_to_launcher(header), worker.segment, nullptr);
    channel_init(&worker.channel, TopMemoryContext, out, in);
    worker.channel.stalled = check_stalled;
    install_output();
    on_dsm_detach(worker.segment, segment_goes, 0);
}

// Who is there for the work of a transaction after its commit waits for it: before that its user,
// and that he may connect, may be known to the transaction only. True when it has committed.
bool wait_for_commit() {
    pg_atomic_uint32 *outcome = outcome_of(worker.header, 1);
    HOLD_CANCEL_INTERRUPTS(); // there is no command yet that could be cancelled
    while (pg_atomic_read_u32(outcome) == kUndecided && !has_flag(worker.header, kClosing))
        (void)pg::wait_latch(-1, pg::WaitEvent::kCommit);
    QueryCancelPending = false;
    RESUME_CANCEL_INTERRUPTS();
    return pg_atomic_read_u32(outcome) == kCommitted;
}

void become_backend() {
    BackgroundWorkerInitializeConnectionByOid(worker.header->database, worker.header->user,
                                              pg::kConnectFlags);
    MessageContext =
        AllocSetContextCreate(TopMemoryContext, "MessageContext", ALLOCSET_DEFAULT_SIZES);
    StartTransactionCommand();
    // A role that is given to the user's own connections is not whom the session was launched as.
    SetConfigOption("role", "none", PGC_USERSET, PGC_S_OVERRIDE);
    make_port();
    check_invited();
    CommitTransactionCommand();
    process_session_preload_libraries();
    RegisterSubXactCallback(watch_subtransactions, nullptr);
}

// Why the loop has come to its end. Errors: none.
const char *cause_of_end() {
    SegmentHeader *header = worker.header;
    if (header == nullptr) return "its launcher has gone";
    if (pg_atomic_read_u32(&header->pool) == kRetired) return "nobody has used it again";
    if (has_flag(header, kClosing)) return "its launcher has closed it";
    if (has_flag(header, kIdleEnd)) return "it was idle for too long";
    if (worker.last != 0) return "its last command is done";
    if (worker.phase == Phase::kChanging) return "it could not be made clean";
    return "its launcher has let it go";
}

void run(dsm_handle handle) {
    pg::fault("worker-entry");
    set_signal_handlers();
    before_shmem_exit(worker_exits, 0);
    if (!attach(handle)) return;
    pg::name_wait_events();
    open_channel();
    BackgroundWorkerUnblockSignals();
    if (has_flag(worker.header, kClosing)) return;
    pg::fault("worker-start");
    if (worker.header->awaits_commit && !wait_for_commit()) return;
    // Connecting can wait for locks of the launcher, too. run_loop() releases it.
    take_busy_lock();
    pg::fault("worker-connect");
    become_backend();
    if (!apply_setup()) return;
    run_loop();
    ereport(DEBUG1, (errmsg_internal("background session ends: %s", cause_of_end()),
                     errhidestmt(true), errhidecontext(true)));
}

} // namespace

} // namespace pllua_bg::session

// The entry point of every worker process of this module.
void pllua_bg_worker_main(Datum argument) { pllua_bg::session::run(DatumGetUInt32(argument)); }
