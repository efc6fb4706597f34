// A backend's duties while a worker is idle: interrupts, timeouts, statistics, notifications,
// invalidations, reloads; and the deadlock nobody else can see: the launcher waits for a lock that
// its own idle session holds. Owns nothing.
#include "session/worker/idle.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/wait.h"
#include "session/shared/slot_waiters.h"

extern "C" {
#include "access/xact.h"
#include "commands/async.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/sinval.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/fmgroids.h"
#include "utils/ps_status.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::session {

namespace {

constexpr uint32 kWaitClassMask = 0xFF000000U;
constexpr int kMaxBlockers = 64;
// How often a worker that waits in the pool looks whether somebody wants its slot, in milliseconds.
constexpr long kSlotLook = 200;

void start_timers(Idle *idle) {
    char state = transaction_state();
    if (state != 'I' && IdleInTransactionSessionTimeout > 0) {
        enable_timeout_after(IDLE_IN_TRANSACTION_SESSION_TIMEOUT, IdleInTransactionSessionTimeout);
        idle->transaction_timer = true;
    }
    // The option idle_timeout of the launch takes the place of the setting.
    if (state == 'I' && IdleSessionTimeout > 0 && worker.phase != Phase::kPooled &&
        worker.header->idle_timeout == 0) {
        enable_timeout_after(IDLE_SESSION_TIMEOUT, IdleSessionTimeout);
        idle->session_timer = true;
    }
}

void begin_idle(Idle *idle) {
    idle->begun = true;
    if (worker.phase == Phase::kPooled)
        idle->end = worker.pool_end;
    else if (worker.header->idle_timeout > 0)
        idle->end = GetCurrentTimestamp() + worker.header->idle_timeout * static_cast<int64>(1000);
    start_timers(idle);
    // Before the first command there is nothing to tell that could not wait for the next time.
    if (transaction_state() == 'I' && worker.begun != 0)
        idle->stats_wait = pgstat_report_stat(false);
}

// A search among the processes that the launcher waits for, directly or through others.
struct Search {
    int pids[kMaxBlockers];
    int count;
};

void add_blockers(Search *search, int pid) {
    Datum blockers = OidFunctionCall1(F_PG_BLOCKING_PIDS, Int32GetDatum(pid));
    ArrayType *array = DatumGetArrayTypeP(blockers);
    const int *pids = reinterpret_cast<int *>(ARR_DATA_PTR(array));
    int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    for (int i = 0; i < count && search->count < kMaxBlockers; i++) {
        bool known = false;
        for (int k = 0; k < search->count; k++) known = known || search->pids[k] == pids[i];
        if (!known) search->pids[search->count++] = pids[i];
    }
}

// True when the launcher waits for a lock that this process holds, be it through other processes
// that wait for it.
bool blocks_launcher() {
    const PGPROC *launcher = pg::proc_by_number(worker.header->launcher_number);
    if (launcher->pid != worker.header->launcher_pid) return false;
    if ((launcher->wait_event_info & kWaitClassMask) != PG_WAIT_LOCK) return false;
    Search search = {{worker.header->launcher_pid}, 1};
    for (int i = 0; i < search.count; i++) {
        if (search.pids[i] == MyProcPid) return true;
        add_blockers(&search, search.pids[i]);
    }
    return false;
}

// Only the launcher could end this transaction, or take the rows this statement waits to get rid
// of, and it waits for this process: certainly a deadlock.
ErrorData *find_deadlock(const char *what) {
    if (worker.channel.gone || !blocks_launcher()) return nullptr;
    return pg::attempt([what] {
        ereport(ERROR,
                (errcode(ERRCODE_T_R_DEADLOCK_DETECTED), errmsg("deadlock detected"),
                 errdetail("Process %d waits for a lock held by %s of its own background session.",
                           worker.header->launcher_pid, what),
                 errhint("Commit or roll back in the session, or read all of its rows, before "
                         "using the same "
                         "objects outside it.")));
    });
}

void check_launcher() {
    if (transaction_state() != 'T') return;
    ErrorData *error = find_deadlock("the idle transaction");
    if (error == nullptr) return;
    if (worker.deadlock != nullptr) pg::free_error(worker.deadlock);
    worker.deadlock = error;
    ThrowErrorData(error);
}

long next_wait(const Idle *idle) {
    long wait = -1;
    if (idle->end != 0) wait = pg::milliseconds_until(idle->end);
    if (idle->stats_wait > 0) wait = wait < 0 ? idle->stats_wait : Min(wait, idle->stats_wait);
    if (transaction_state() == 'T') wait = wait < 0 ? DeadlockTimeout : Min(wait, DeadlockTimeout);
    if (worker.phase == Phase::kPooled) wait = wait < 0 ? kSlotLook : Min(wait, kSlotLook);
    return wait;
}

void serve_duties(bool timed_out, Idle *idle) {
    if (transaction_state() != 'I') return;
    if (catchupInterruptPending) ProcessCatchupInterrupt();
    if (notifyInterruptPending) ProcessNotifyInterrupt(true);
    if (timed_out && idle->stats_wait > 0) {
        (void)pgstat_report_stat(true);
        idle->stats_wait = 0;
    }
}

} // namespace

char transaction_state() {
    if (IsAbortedTransactionBlockState()) return 'E';
    return IsTransactionOrTransactionBlock() ? 'T' : 'I';
}

void report_idle_activity() {
    switch (executor->transaction_state()) {
    case 'E':
        set_ps_display("idle in transaction (aborted)");
        pgstat_report_activity(STATE_IDLEINTRANSACTION_ABORTED, nullptr);
        break;
    case 'T':
        set_ps_display("idle in transaction");
        pgstat_report_activity(STATE_IDLEINTRANSACTION, nullptr);
        break;
    default:
        if (notifyInterruptPending) ProcessNotifyInterrupt(false);
        set_ps_display("idle");
        pgstat_report_activity(STATE_IDLE, nullptr);
    }
}

void serve_interrupts() {
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
    if (!InterruptPending) return;
    if (pg::attempt_raw([] { CHECK_FOR_INTERRUPTS(); })) return;
    if (geterrcode() != ERRCODE_QUERY_CANCELED) PG_RE_THROW();
    FlushErrorState();
}

void end_idle(Idle *idle) {
    if (idle->transaction_timer) disable_timeout(IDLE_IN_TRANSACTION_SESSION_TIMEOUT, false);
    if (idle->session_timer) disable_timeout(IDLE_SESSION_TIMEOUT, false);
    idle->transaction_timer = idle->session_timer = false;
}

void check_stalled() {
    ErrorData *error = find_deadlock("an unread statement");
    if (error != nullptr) pg::raise_fresh(error);
}

bool sleep_idle(Idle *idle) {
    if (!idle->begun) begin_idle(idle);
    pg::fault("worker-idle");
    bool timed_out = !executor->sleep(next_wait(idle));
    serve_duties(timed_out, idle);
    const bool is_gone = is_resting() && executor->is_gone();
    if (!timed_out && !is_gone) return true;
    const bool is_over = is_gone || (idle->end != 0 && GetCurrentTimestamp() >= idle->end);
    if (worker.phase == Phase::kPooled && (is_over || is_slot_awaited() || is_database_wanted())) {
        idle->end = 0;
        return !retire();
    }
    if (is_over) {
        pg_atomic_fetch_or_u32(&worker.header->flags, kIdleEnd);
        return false;
    }
    check_launcher();
    return true;
}

} // namespace pllua_bg::session
