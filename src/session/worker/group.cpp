// The work of one transaction after its commit (bg.on_commit), which has come as one message:
// waiting for how the transaction ends, its commands one by one, and what is forgotten after them.
// Owns the segment the commands have come in, if they did not fit in the queue.
#include "session/worker/worker.h"

#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"
#include "session/shared/shared_memory.h"
#include "session/shared/statistics.h"
#include "session/worker/idle.h"

extern "C" {
#include "access/xact.h"
#include "utils/guc.h"
}

namespace pllua_bg::session {

namespace {

// A cancel, or what a command has left, may make forgetting fail; the next work has to be done all
// the same.
constexpr int kMostResets = 3;

// True when the transaction has committed, so that all can see what it did.
bool has_committed(CommandId id) {
    pg_atomic_uint32 *outcome = outcome_of(worker.header, id);
    while (pg_atomic_read_u32(outcome) == kUndecided && !has_flag(worker.header, kClosing)) {
        serve_interrupts();
        (void)pg::wait_latch_only(-1, pg::WaitEvent::kCommit);
    }
    pg_memory_barrier();
    return pg_atomic_read_u32(outcome) == kCommitted;
}

FrameCursor open_segment(dsm_handle handle) {
    worker.group.segment = dsm_attach(handle);
    if (worker.group.segment == nullptr)
        elog(ERROR, "work after the commit was lost: its segment has gone");
    dsm_pin_mapping(worker.group.segment);
    auto *group = static_cast<GroupSegment *>(dsm_segment_address(worker.group.segment));
    unpin_group(group, handle);
    return {frames_of(group), frames_of(group) + group->length};
}

// The groups that follow may have the same: then it does not come again. Without memory for it
// there is no worker.
void keep_setup(const GroupMessage &message) {
    if (worker.setup.setup != nullptr) pfree(const_cast<char *>(worker.setup.setup));
    auto *copy = static_cast<char *>(
        MemoryContextAllocExtended(TopMemoryContext, message.setup_length, MCXT_ALLOC_NO_OOM));
    if (copy == nullptr) ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    memcpy(copy, message.setup, message.setup_length);
    worker.setup = {copy, message.setup_length};
}

bool next_unread(Frame *frame) {
    Size length;
    const char *batch;
    while (!next_frame(&worker.frames, frame)) {
        if (receive_batch(&worker.channel, &batch, &length) != Received::kBatch) return false;
        worker.frames = {batch, batch + length};
    }
    return true;
}

} // namespace

void begin_group(const GroupMessage &message) {
    worker.silent = true;
    wake_up();
    worker.group = {};
    worker.group.id = message.id;
    worker.group.lifetime = message.lifetime;
    if (message.setup_length > 0) keep_setup(message);
    worker.group.setup = worker.setup;
    pg::fault("worker-group");
    if (has_committed(message.id))
        worker.group.frames = message.segment != 0
                                  ? open_segment(message.segment)
                                  : FrameCursor{message.frames, message.frames + message.length};
}

void take_group_setup() {
    take_busy_lock();
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    SetPGVariable("session_authorization", NIL, false); // the role, too
    ResetAllOptions();
    const ReuseMessage &setup = worker.group.setup;
    FrameCursor cursor = {setup.setup, setup.setup + setup.length};
    take_over(&cursor);
    CommitTransactionCommand();
    MemoryContextSwitchTo(MessageContext);
    release_busy_lock();
}

void end_group_command() {
    if (transaction_state() != 'I') AbortOutOfAnyTransaction();
    report_idle_activity();
}

void count_group_error(int sqlstate) {
    if (shared_area == nullptr) {
        pg_atomic_fetch_add_u32(&worker.header->job_errors, 1);
        return;
    }
    count_error(sqlstate);
    count(Counter::kCommitErrors);
    publish_counts();
}

bool end_group() {
    if (worker.group.resets++ == kMostResets) return false;
    forget_use();
    if (worker.group.segment != nullptr) dsm_detach(worker.group.segment);
    const Group done = worker.group;
    worker.group = {};
    rest(done.lifetime);
    pg_atomic_write_u64(&worker.header->finished, done.id);
    return true;
}

void leave_groups() {
    if (worker.channel.in == nullptr) return;
    pg::free_error(pg::attempt([] {
        Frame frame;
        while (next_unread(&frame)) {
            if (frame.type != MessageType::kGroup) continue;
            const dsm_handle handle = read_group(frame).segment;
            dsm_segment *segment = handle == 0 ? nullptr : dsm_attach(handle);
            if (segment == nullptr) continue;
            unpin_group(static_cast<GroupSegment *>(dsm_segment_address(segment)), handle);
            dsm_detach(segment);
        }
    }));
}

} // namespace pllua_bg::session
