// Giving the launcher's snapshot to a worker. See snapshot.h; the rules are those of ExportSnapshot
// in src/backend/utils/time/snapmgr.c. Owns the snapshot of the launch under way.
#include "session/launcher/snapshot.h"

#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/shared/message.h"

extern "C" {
#include "access/transam.h"
#include "access/xact.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

Snapshot offered = nullptr; // of the launch under way

void drop(Snapshot *snapshot) {
    if (*snapshot == nullptr) return;
    UnregisterSnapshotFromOwner(*snapshot, TopTransactionResourceOwner);
    *snapshot = nullptr;
}

TransactionId *longer_copy(const TransactionId *xids, uint32 count, int more) {
    auto *copy = static_cast<TransactionId *>(palloc(sizeof(TransactionId) * (count + more + 1)));
    if (count > 0) memcpy(copy, xids, sizeof(TransactionId) * count);
    return copy;
}

// A snapshot lacks the transaction that took it, which sees its own changes by other means; to
// others it is in progress. Its subtransactions are what this process shows of them, so it does not
// matter in which of them we are: those that were rolled back are not needed, and where they were
// too many to be shown, whoever reads asks pg_subtrans.
SnapshotData as_others_see(Snapshot own) {
    SnapshotData seen = *own;
    const TransactionId top = GetTopTransactionIdIfAny();
    const int children = MyProc->subxidStatus.count;
    seen.xip = longer_copy(own->xip, own->xcnt, 1);
    if (TransactionIdIsValid(top) && TransactionIdPrecedes(top, own->xmax))
        seen.xip[seen.xcnt++] = top;
    seen.subxip = longer_copy(own->subxip, static_cast<uint32>(own->subxcnt), children);
    if (MyProc->subxidStatus.overflowed) seen.suboverflowed = true;
    if (seen.suboverflowed) return seen;
    for (int i = 0; i < children; i++)
        if (TransactionIdPrecedes(MyProc->subxids.xids[i], own->xmax))
            seen.subxip[seen.subxcnt++] = MyProc->subxids.xids[i];
    return seen;
}

bool is_any_awaited() {
    receive_all();
    if (is_any_draining()) return true;
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->local != nullptr && session->local->snapshot != nullptr) return true;
    return false;
}

// A worker that is just starting can take the snapshot only while this transaction runs.
void wait_until_taken() {
    const TimestampTz end = GetCurrentTimestamp() + pg::setting_launch_wait * INT64CONST(1000);
    while (is_any_awaited()) {
        const long rest = pg::milliseconds_until(end);
        if (rest == 0) return;
        (void)pg::wait_latch(rest, pg::WaitEvent::kStart);
    }
}

void drop_all() {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->local != nullptr) release_snapshot(session->local);
    let_drained_go(true);
    withdraw_snapshot();
}

// Whoever gives a snapshot back before the end has the server work out anew what this process still
// needs; after it, when the transaction needs nothing any more, that must not come back.
void drop_all_after_end() {
    const TransactionId none = MyProc->xmin;
    drop_all();
    MyProc->xmin = none;
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
        wait_until_taken();
        drop_all();
        break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE: // of a launch by what others do before a commit
    case XACT_EVENT_ABORT: drop_all_after_end(); break;
    default: break;
    }
}

} // namespace

void offer_snapshot(StringInfo frames) {
    withdraw_snapshot();
    // A procedure that has just committed has none.
    Snapshot own = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
    offered = RegisterSnapshotOnOwner(own, TopTransactionResourceOwner);
    SnapshotData seen = as_others_see(offered);
    append_snapshot(frames, {pg::transaction_number(MyProc), &seen});
    pfree(seen.xip);
    pfree(seen.subxip);
}

void withdraw_snapshot() { drop(&offered); }

void keep_snapshot(LocalLink *link) {
    link->snapshot = RegisterSnapshotOnOwner(offered, TopTransactionResourceOwner);
}

void release_snapshot(LocalLink *link) { drop(&link->snapshot); }

void initialize_snapshots() { RegisterXactCallback(at_transaction_end, nullptr); }

} // namespace pllua_bg::session
