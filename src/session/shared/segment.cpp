// Laying out the shared memory of a session.
// Owns nothing.
#include "session/shared/segment.h"

#include "pg/compat.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace pllua_bg::session {

namespace {

// Commands are short, and memory nobody uses makes launches slow: the server has every page of a
// segment allocated at once.
constexpr Size kLargestCommandQueue = 64 * 1024;

void init_atomics(SegmentHeader *header) {
    pg_atomic_init_u32(&header->flags, 0);
    pg_atomic_init_u32(&header->pool, kInUse);
    pg_atomic_init_u32(&header->worker_pid, 0);
    pg_atomic_init_u32(&header->worker_number, 0);
    pg_atomic_init_u32(&header->slot_entry, 0);
    pg_atomic_init_u32(&header->overflow, 0);
    pg_atomic_init_u64(&header->started, 0);
    pg_atomic_init_u64(&header->finished, 0);
    pg_atomic_init_u32(&header->progress_version, 0);
    for (pg_atomic_uint64 &target : header->cancel_targets) pg_atomic_init_u64(&target, 0);
    for (pg_atomic_uint32 &outcome : header->outcomes) pg_atomic_init_u32(&outcome, kUndecided);
    pg_atomic_init_u32(&header->job_errors, 0);
}

pg_atomic_uint64 *cancel_target(SegmentHeader *header, uint64 command) {
    return &header->cancel_targets[command % kCancelTargets];
}

} // namespace

int session_depth;

Size command_queue_size(Size queue_size) { return MAXALIGN(Min(queue_size, kLargestCommandQueue)); }

Size segment_size(Size queue_size, Size setup_length) {
    return MAXALIGN(sizeof(SegmentHeader)) + command_queue_size(queue_size) + MAXALIGN(queue_size) +
           MAXALIGN(setup_length);
}

void segment_init(SegmentHeader *header, Size queue_size, const void *setup, Size setup_length) {
    memset(header, 0, sizeof(SegmentHeader));
    header->magic = kSegmentMagic;
    header->version = kSegmentVersion;
    if (!pg_strong_random(&header->cookie, sizeof header->cookie))
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
    header->database = MyDatabaseId;
    header->user = GetUserId();
    header->encoding = GetDatabaseEncoding();
    header->depth = session_depth + 1;
    header->launcher_pid = MyProcPid;
    header->launcher_number = pg::my_proc_number();
    header->queue_size = queue_size;
    header->to_worker = MAXALIGN(sizeof(SegmentHeader));
    header->to_launcher = header->to_worker + command_queue_size(queue_size);
    header->setup = header->to_launcher + MAXALIGN(queue_size);
    header->setup_length = setup_length;
    init_atomics(header);
    if (setup_length > 0)
        memcpy(reinterpret_cast<char *>(header) + header->setup, setup, setup_length);
    (void)shm_mq_create(queue_to_worker(header), command_queue_size(queue_size));
    (void)shm_mq_create(queue_to_launcher(header), MAXALIGN(queue_size));
    shm_mq_set_sender(queue_to_worker(header), MyProc);
    shm_mq_set_receiver(queue_to_launcher(header), MyProc);
}

void forget_setup(SegmentHeader *header) {
    explicit_bzero(reinterpret_cast<char *>(header) + header->setup, header->setup_length);
}

void forget_commands(SegmentHeader *header) {
    pg_atomic_write_u64(&header->started, 0);
    pg_atomic_write_u64(&header->finished, 0);
    for (pg_atomic_uint64 &target : header->cancel_targets) pg_atomic_write_u64(&target, 0);
    pg_atomic_write_u32(&header->progress_version, 0);
    pg_memory_barrier();
}

void unpin_group(GroupSegment *group, dsm_handle handle) {
    const uint32 before = pg_atomic_fetch_or_u32(&group->flags, kAttached);
    if ((before & kPinned) && !(before & kAttached)) dsm_unpin_segment(handle);
}

void mark_cancelled(SegmentHeader *header, uint64 command) {
    pg_atomic_uint64 *target = cancel_target(header, command);
    uint64 marked = pg_atomic_read_u64(target);
    if (marked < command && marked > pg_atomic_read_u64(&header->finished)) return;
    pg_atomic_write_u64(target, command);
    pg_memory_barrier();
}

bool is_cancelled(SegmentHeader *header, uint64 command) {
    return pg_atomic_read_u64(cancel_target(header, command)) == command;
}

} // namespace pllua_bg::session
