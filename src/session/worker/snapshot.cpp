// Taking the launcher's snapshot over. The rules are those of ImportSnapshot in
// src/backend/utils/time/snapmgr.c. Owns nothing.
#include "session/worker/worker.h"

#include "pg/compat.h"

extern "C" {
#include "access/xact.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

// The place in the array of processes may have changed hands before or while the snapshot was taken
// over; then nobody has kept what it needs.
void check_launcher_transaction(LocalTransactionId transaction) {
    const PGPROC *launcher = pg::proc_by_number(worker.header->launcher_number);
    if (launcher->pid == worker.header->launcher_pid &&
        pg::transaction_number(launcher) == transaction)
        return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("could not import the requested snapshot"),
                    errdetail("The source transaction is not running anymore.")));
}

void begin_with_snapshot(const Frame &frame) {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_REPEATABLE_READ;
    const SnapshotMessage taken = read_snapshot(frame);
    check_launcher_transaction(taken.transaction);
    RestoreTransactionSnapshot(taken.snapshot, pg::proc_by_number(worker.header->launcher_number));
    check_launcher_transaction(taken.transaction);
    BeginTransactionBlock();
    CommitTransactionCommand();
}

} // namespace

void take_snapshot(FrameCursor *cursor) {
    Frame frame;
    FrameCursor ahead = *cursor;
    if (!next_frame(&ahead, &frame) || frame.type != MessageType::kSnapshot) return;
    begin_with_snapshot(frame);
    *cursor = ahead;
}

} // namespace pllua_bg::session
