// Making the wait of a launcher for its worker visible to the server's deadlock detector.
// Owns the timer that makes a worker look again.
//
// A worker holds a lock of its own while it starts and while a command runs. A launcher that has
// waited for deadlock_timeout while its worker waits for a lock asks for that lock for a moment: a
// cycle through both is then an ordinary deadlock. The worker is told to look for it, so that it,
// not the launcher, is the victim. The launcher waits in short slices inside a subtransaction,
// because the end of a slice is the server's lock timeout.
#include <signal.h>

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "session/launcher/launcher.h"
#include "session/shared/busy_lock.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::session {

namespace {

constexpr int kSlice = 500;    // milliseconds
constexpr int kKickAfter = 20; // milliseconds after which the launcher is surely waiting
constexpr uint32 kWaitClassMask = 0xFF000000U;

SegmentHeader *volatile kick_header;
volatile pid_t kick_pid;
TimeoutId kick_timeout = MAX_TIMEOUTS;

// Runs in the handler of SIGALRM.
void kick() {
    SegmentHeader *header = kick_header;
    // At the end of the process, which may come in the middle of a slice, the segment goes.
    if (proc_exit_inprogress || header == nullptr || kick_pid == 0) return;
    pg_atomic_fetch_or_u32(&header->flags, kRecheck);
    (void)::kill(kick_pid, SIGUSR2);
}

bool waits_for_lock(Session *session) {
    if (session == nullptr) return false;
    const LocalLink *local = session->local;
    if (local == nullptr || local->header == nullptr) return false;
    uint32 number = pg_atomic_read_u32(&local->header->worker_number);
    if (number == 0) return false;
    const PGPROC *proc = pg::proc_by_number(static_cast<int>(number) - 1);
    return proc->pid == known_pid(session) &&
           (proc->wait_event_info & kWaitClassMask) == PG_WAIT_LOCK;
}

void acquire_for_a_moment(Session *session) {
    const LOCKTAG tag = busy_lock_tag(session->local->header);
    pg::fault("deadlock-slice");
    (void)LockAcquire(&tag, ShareLock, false, false);
    (void)LockRelease(&tag, ShareLock, false);
}

// One slice of waiting for the busy lock; the error that ended it, nullptr when the lock was free.
ErrorData *wait_one_slice(Session *session, int slice) {
    int lock_timeout = LockTimeout;
    int deadlock_timeout = DeadlockTimeout;
    if (kick_timeout == MAX_TIMEOUTS) kick_timeout = RegisterTimeout(USER_TIMEOUT, kick);
    kick_pid = known_pid(session);
    kick_header = session->local->header;
    pg_atomic_fetch_or_u32(&session->local->header->flags, kEdge);
    LockTimeout = slice;
    DeadlockTimeout = slice * 4;
    enable_timeout_after(kick_timeout, kKickAfter);
    ErrorData *error = pg::attempt([session] { acquire_for_a_moment(session); });
    LockTimeout = lock_timeout;
    DeadlockTimeout = deadlock_timeout;
    disable_timeout(kick_timeout, false);
    kick_header = nullptr;
    pg_atomic_fetch_and_u32(&session->local->header->flags, ~kEdge);
    return error;
}

void wait_in_subtransaction(Session *session, int slice) {
    pg::Subtransaction own;
    bool statement_timer = get_timeout_active(STATEMENT_TIMEOUT);
    pg::begin_subtransaction(&own);
    ErrorData *error = wait_one_slice(session, slice);
    ErrorData *end_error = pg::end_subtransaction(&own, error == nullptr);
    if (end_error != nullptr) {
        pg::free_error(error);
        pg::rethrow(end_error);
    }
    if (error == nullptr) return;
    if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE) pg::rethrow(error);
    pg::free_error(error);
    // The server reports one of two timeouts that have fired, and forgets the other.
    if (statement_timer && !get_timeout_active(STATEMENT_TIMEOUT))
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
                        errmsg("canceling statement due to statement timeout")));
}

} // namespace

bool offer_deadlock_edge(const WaitFor *commands, int n, long timeout) {
    static uint32 turn = 0;
    if (n <= 0 || !IsTransactionState() || IsInParallelMode()) return false;
    for (int i = 0; i < n; i++)
        if (!waits_for_lock(commands[i].session)) return false;
    Session *session = commands[turn++ % static_cast<uint32>(n)].session;
    wait_in_subtransaction(session, static_cast<int>(Min(timeout, kSlice)));
    return true;
}

} // namespace pllua_bg::session
