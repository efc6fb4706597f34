// A worker between two uses of its session: forgetting the one, taking over the settings of the
// other. Owns nothing.
#include "session/session.h"
#include "session/worker/idle.h"
#include "session/worker/worker.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "access/xact.h"
#include "commands/discard.h"
#include "pgstat.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

// A worker whose caches have grown beyond this is not used again.
constexpr Size kMostMemory = 64 * 1024 * 1024;

void discard_all() {
    DiscardStmt statement = {};
    statement.type = T_DiscardStmt;
    statement.target = DISCARD_ALL;
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    DiscardCommand(&statement, true);
    PopActiveSnapshot();
    SetConfigOption("application_name", "pllua_bg pool", PGC_USERSET, PGC_S_CLIENT);
    CommitTransactionCommand();
    pg::drop_temporary_slots();
}

// A worker whose caches have grown too far.
bool is_too_large() { return MemoryContextMemAllocated(TopMemoryContext, true) > kMostMemory; }

} // namespace

void forget_use() {
    pgstat_report_activity(STATE_RUNNING, "DISCARD ALL");
    pg::fault("worker-reset");
    end_all_sessions(); // those that this session has launched
    if (worker.deadlock != nullptr) pg::free_error(worker.deadlock);
    worker.deadlock = nullptr;
    forget_all_statements();
    discard_all();
    executor->forget_use();
}

// One that takes a slot others may wait for does not wait itself.
void rest(int64 lifetime) {
    const bool ends = is_too_large() || pg::all_workers_are_busy();
    worker.pool_end = GetCurrentTimestamp() + (ends ? 0 : lifetime * 1000);
    worker.phase = Phase::kPooled;
    pool_entry(worker.header);
    uint32 expected = kInUse;
    (void)pg_atomic_compare_exchange_u32(&worker.header->pool, &expected, kResting);
}

void wake_up() {
    if (worker.phase != Phase::kPooled) return;
    (void)leave_pool(worker.header, kInUse); // unless the launcher has been faster
    use_entry(worker.header);
    worker.phase = Phase::kUsed;
}

void reset(const ResetMessage &message) {
    if (transaction_state() != 'I') elog(ERROR, "session is in a transaction");
    worker.phase = Phase::kChanging;
    forget_use();
    if (is_too_large()) elog(ERROR, "session has become too large to be used again");
    report_idle_activity();
    worker.pool_end = GetCurrentTimestamp() + message.lifetime * 1000;
    worker.phase = Phase::kPooled;
    write_empty(&worker.channel, MessageType::kResetDone);
    flush(&worker.channel);
}

void reuse(const ReuseMessage &message) {
    worker.phase = Phase::kChanging;
    worker.silent = false;
    write_empty(&worker.channel, MessageType::kReuseBegun);
    pg::fault("worker-reuse");
    FrameCursor cursor = {message.setup, message.setup + message.length};
    take_busy_lock();
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    check_invited();
    take_over(&cursor);
    CommitTransactionCommand();
    executor->begin_use(&cursor);
    take_snapshot(&cursor);
    release_busy_lock();
    worker.phase = Phase::kUsed;
}

} // namespace pllua_bg::session
