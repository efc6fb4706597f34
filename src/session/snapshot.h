// One state of the database for several sessions: the launcher gives its snapshot to the worker,
// which begins a transaction with it.
// Owns the launcher's hold on the snapshots it has given and that no worker has taken yet.
#pragma once

#include "session/internal.h"

namespace pllua_bg::session {

// Launcher: appends a kSnapshot frame with the active snapshot, as any other process would have
// taken it, and holds the snapshot until withdraw_snapshot(), or else until the transaction ends.
// Errors: pg.
void offer_snapshot(StringInfo frames);
// Launcher: the snapshot on offer is for this session, which holds it until its worker has taken
// it, or the transaction ends. Call before the worker can have the frame: its answer is what ends
// the hold. Errors: pg (memory).
void keep_snapshot(Session *session);
// Launcher: the launch is over. Errors: none.
void withdraw_snapshot();
// Launcher: holds it no longer. Errors: none.
void release_snapshot(Session *session);
void initialize_snapshots();

// Worker: begins a REPEATABLE READ transaction block with the snapshot in the frame. Call outside a
// transaction. Errors: pg 55000 (the launcher's transaction has ended).
void begin_with_snapshot(const Frame *frame);

} // namespace pllua_bg::session
