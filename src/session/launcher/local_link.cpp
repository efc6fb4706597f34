// A session's link to a worker of this server. See link.h for the contracts.
// Owns nothing beyond its links.
#include "session/launcher/local_link.h"

#include <csignal>
#include <new>

#include "pg/encoding.h"
#include "pg/guard.h"
#include "session/launcher/launcher.h"
#include "session/launcher/snapshot.h"
#include "session/shared/progress.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "utils/syscache.h"
}

namespace pllua_bg::session {

namespace {

// A worker that ends between naming itself the sender of its queue and
// attaching to it does not leave it.
bool has_left_early(const LocalLink *link) {
    const bool left = !link->ready && has_flag(link->header, kWorkerDone);
    pg_read_barrier();
    return left;
}

// Between two uses of a session what comes belongs to the last one, until the worker has begun the
// next. The cause of its death is in the segment, too.
bool is_late(LocalLink *link, MessageType type) {
    if (link->pool_state == PoolState::kUsed) return false;
    if (link->pool_state == PoolState::kResetting && type == MessageType::kResetDone)
        link->pool_state = PoolState::kClean;
    if (link->pool_state == PoolState::kWaking && type == MessageType::kReuseBegun)
        link->pool_state = PoolState::kUsed;
    return true;
}

// Commands the queue did not take go into a segment of their own, which the worker reads when the
// queue is at its end. Returns why they cannot; nullptr: they have. At the end of the process an
// error would end what is still to be let go, so what can happen then is none.
const char *leave_overflow(LocalLink *link) {
    StringInfoData rest;
    initStringInfo(&rest);
    Size length;
    while (const char *batch = take_backlog(&link->channel, &length)) {
        if (length >= MaxAllocSize - rest.len) return _("there are too many");
        appendBinaryStringInfo(&rest, batch, static_cast<int>(length));
    }
    if (rest.len == 0) return nullptr;
    dsm_segment *segment = try_segment(sizeof(OverflowSegment) + rest.len);
    if (segment == nullptr) return _("too many dynamic shared memory segments");
    auto *overflow = static_cast<OverflowSegment *>(dsm_segment_address(segment));
    overflow->length = rest.len;
    memcpy(overflow + 1, rest.data, rest.len);
    dsm_pin_segment(segment);
    pg_atomic_write_u32(&link->header->overflow, dsm_segment_handle(segment));
    if (pg_atomic_fetch_or_u32(&link->header->flags, kOverflow) & kWorkerDone)
        dsm_unpin_segment(dsm_segment_handle(segment));
    dsm_detach(segment);
    pfree(rest.data);
    return nullptr;
}

} // namespace

LocalLink *make_local_link(Session *session, Size queue_size) {
    auto *link = new (MemoryContextAllocZero(session->context, sizeof(LocalLink))) LocalLink();
    link->queue_size = queue_size;
    link->born = GetCurrentTimestamp();
    link->user_hash = GetSysCacheHashValue1(AUTHOID, ObjectIdGetDatum(session->user));
    return link;
}

// The worker does it when it has attached.
void LocalLink::forget_unread_setup() {
    if (!has_flag(header, kAttached | kPinned)) forget_setup(header);
}

void signal_worker(const LocalLink *link, int signal) {
    pid_t pid;
    if (link->worker != nullptr && GetBackgroundWorkerPid(link->worker, &pid) == BGWH_STARTED)
        (void)kill(pid, signal);
}

void LocalLink::send(const CommandMessage &command) {
    write_command(&channel, command, header->elsewhere);
    show_sent(header, command.id);
}

void LocalLink::forget_statement(uint32 statement) {
    write_fixed(&channel, ForgetMessage{statement});
}

Size LocalLink::flush() {
    session::flush(&channel);
    if (has_backlog(&channel)) (void)send_backlog(&channel);
    return channel.backlog->memory;
}

Received LocalLink::receive(Size *length) {
    const char *frames;
    const bool left = has_left_early(this);
    const Received received = receive_batch(&channel, &frames, length);
    if (received == Received::kBatch) batch = {frames, frames + *length};
    return left && received == Received::kNothing ? Received::kGone : received;
}

bool LocalLink::next(Message *message) {
    Frame frame;
    do {
        if (!next_frame(&batch, &frame)) return false;
    } while (is_late(this, frame.type));
    *message = read_message(frame);
    if (frame.type == MessageType::kReady) {
        ready = true;
        release_snapshot(this);
    }
    return true;
}

int LocalLink::pid() {
    if (header != nullptr)
        if (uint32 known = pg_atomic_read_u32(&header->worker_pid)) return static_cast<int>(known);
    pid_t pid;
    return worker != nullptr && GetBackgroundWorkerPid(worker, &pid) == BGWH_STARTED
               ? static_cast<int>(pid)
               : 0;
}

CommandId LocalLink::current() {
    CommandId started = pg_atomic_read_u64(&header->started);
    CommandId finished = pg_atomic_read_u64(&header->finished);
    return started > finished ? started : finished + 1;
}

bool LocalLink::cancel(CommandId id) {
    if (id <= pg_atomic_read_u64(&header->finished)) return false;
    not_reusable = true;
    mark_cancelled(header, id);
    signal_worker(this, SIGUSR2);
    return true;
}

void LocalLink::remind_of_cancel(CommandId id) {
    if (!is_cancelled(header, id)) (void)cancel(id);
}

void LocalLink::terminate() {
    not_reusable = true;
    if (worker != nullptr) TerminateBackgroundWorker(worker);
}

// What was sent reaches the worker even if it has not started yet.
void LocalLink::let_go(bool busy) {
    if (!busy) {
        if (!ready && worker != nullptr) TerminateBackgroundWorker(worker);
        return;
    }
    const char *cause = nullptr;
    ErrorData *error = pg::attempt([this, &cause] {
        session::flush(&channel);
        if (!send_backlog(&channel)) cause = leave_overflow(this);
    });
    if (error != nullptr) cause = error->message;
    if (cause != nullptr)
        ereport(WARNING,
                (errmsg("background session will not run all commands that were sent: %s", cause)));
    pg::free_error(error);
    pin_for_worker(segment, header, &worker);
}

void LocalLink::close() {
    pg_atomic_fetch_or_u32(&header->flags, kClosing);
    pid_t pid;
    if (worker != nullptr && GetBackgroundWorkerPid(worker, &pid) == BGWH_NOT_YET_STARTED)
        TerminateBackgroundWorker(worker);
    signal_worker(this, SIGUSR2);
}

Loss LocalLink::loss() {
    const bool idle = pg_atomic_read_u64(&header->started) == 0;
    const bool over = has_flag(header, kIdleEnd) || pg_atomic_read_u32(&header->pool) == kRetired;
    if (header->fatal_message[0] != '\0')
        return {pg::valid_text(header->fatal_message), over, idle};
    if (over) return {_("The session ended because it was idle for too long."), true, idle};
    return {nullptr, false, idle};
}

Size LocalLink::drop() {
    release_snapshot(this);
    has_progress = copy_progress(header, &last_progress);
    retire_entry(header);
    forget_unread_setup();
    dsm_segment *dropped = segment;
    segment = nullptr;
    header = nullptr;
    batch = {};
    const Size freed = channel_release(&channel);
    dsm_detach(dropped);
    return freed;
}

bool LocalLink::progress(Progress *progress) {
    if (header != nullptr) return copy_progress(header, progress);
    *progress = last_progress;
    return has_progress;
}

void LocalLink::release() {
    release_snapshot(this);
    if (header != nullptr) {
        // One that was let go with work to do stays a session until it has done it.
        if (!has_flag(header, kPinned)) retire_entry(header);
        forget_unread_setup();
    }
    if (segment != nullptr) dsm_detach(segment);
    if (worker != nullptr) pfree(worker);
}

} // namespace pllua_bg::session
