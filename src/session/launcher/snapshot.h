// One state of the database for several sessions: the launcher gives its snapshot to the worker,
// which begins a transaction with it (worker/snapshot.cpp).
// Owns the launcher's hold on the snapshots it has given and that no worker has taken yet.
#pragma once

#include "session/launcher/launcher.h"

namespace pllua_bg::session {

// Appends a kSnapshot frame with the active snapshot, as any other process would have taken it, and
// holds the snapshot until withdraw_snapshot(), or else until the transaction ends. Errors: pg.
void offer_snapshot(StringInfo frames);
// The snapshot on offer is for this session, which holds it until its worker has taken it, or the
// transaction ends. Call before the worker can have the frame: its answer is what ends the hold.
// Errors: pg (memory).
void keep_snapshot(LocalLink *link);
// The launch is over. Errors: none.
void withdraw_snapshot();
// Holds it no longer. Errors: none.
void release_snapshot(LocalLink *link);
void initialize_snapshots();

} // namespace pllua_bg::session
