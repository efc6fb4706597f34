// The link of a session whose commands are run by a worker of this server: a segment, two queues in
// it, and a process.
// Owns the segment, the worker's handle, and a hold on the snapshot the worker has not taken yet.
#pragma once

#include "session/launcher/link.h"
#include "session/shared/channel.h"
#include "session/shared/segment.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace pllua_bg::session {

// Where a worker is between the uses of its session.
enum class PoolState {
    kUsed,
    kResetting, // in the pool; has not said yet that it has forgotten its last use
    kClean,     // in the pool
    kWaking,    // taken from the pool; has not said yet that it has begun another use
};

struct LocalLink final : Link {
    dsm_segment *segment; // nullptr once it was dropped
    SegmentHeader *header;
    BackgroundWorkerHandle *worker;
    Channel channel;
    FrameCursor batch; // what is left of the batch received last
    Size queue_size;
    TimestampTz born;
    uint32 user_hash;  // of the cache entry of its role
    Snapshot snapshot; // held for the worker to take; nullptr: none (snapshot.cpp)
    PoolState pool_state;
    bool ready;        // the worker has said so
    bool not_reusable; // a cancel may still be under way, its role has changed
    bool imposed;      // settings were imposed on this use of it or an earlier one
    bool has_progress; // saved when the segment was dropped
    Progress last_progress;

    void send(const CommandMessage &command) override;
    void forget_statement(uint32 statement) override;
    Size flush() override;
    Received receive(Size *length) override;
    bool next(Message *message) override;
    int pid() override;
    CommandId current() override;
    bool cancel(CommandId id) override;
    void remind_of_cancel(CommandId id) override;
    void terminate() override;
    void let_go(bool busy) override;
    void close() override;
    Loss loss() override;
    Size drop() override;
    bool progress(Progress *progress) override;
    void release() override;
    void forget_unread_setup();
};

// A link without segment and worker yet, in the session's memory. Errors: pg (memory).
LocalLink *make_local_link(Session *session, Size queue_size);
// Sends the worker a signal, if it runs. Errors: none.
void signal_worker(const LocalLink *link, int signal);

} // namespace pllua_bg::session
