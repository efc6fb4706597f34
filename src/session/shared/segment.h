// The shared memory of a session: what both processes know of each other besides the two queues.
// Owns the layout of the DSM segment. Every member changes by atomic operations only, or before the
// worker is registered; the worker's progress is guarded by its version.
#pragma once

#include "session/session.h"

extern "C" {
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/shm_mq.h"
}

namespace pllua_bg::session {

// What the server knows workers by: the name of their main function, and their type
// in pg_stat_activity.
inline constexpr char kWorkerFunction[] = "pllua_bg_worker_main";
inline constexpr char kWorkerType[] = "pllua_bg session";

inline constexpr uint32 kSegmentMagic = 0x626c7561;
inline constexpr uint32 kSegmentVersion = 1;

// Bits of SegmentHeader::flags.
inline constexpr uint32 kAttached = 1;   // the worker has attached to the segment
inline constexpr uint32 kPinned = 2;     // the segment is pinned; who sees both bits first unpins
inline constexpr uint32 kClosing = 4;    // the launcher wants the worker to end now
inline constexpr uint32 kWorkerDone = 8; // the worker reads nothing any more
inline constexpr uint32 kOverflow = 16;  // `overflow` is valid; who comes second unpins it
inline constexpr uint32 kEdge = 32;      // the launcher is waiting for the busy lock
inline constexpr uint32 kRecheck = 64;   // the launcher wants the worker to look for deadlocks
inline constexpr uint32 kIdleEnd = 128;  // the worker ended because of its idle timeout

// Values of SegmentHeader::pool. Each side leaves kResting by compare-and-exchange: either the
// launcher uses the session again, or the worker ends.
inline constexpr uint32 kInUse = 0;
inline constexpr uint32 kResting = 1;
inline constexpr uint32 kRetired = 2;

inline constexpr int kCancelTargets = 256;

// Values of SegmentHeader::outcomes: of the transaction whose work after the commit was sent.
inline constexpr uint32 kUndecided = 0;
inline constexpr uint32 kCommitted = 1;
inline constexpr uint32 kRolledBack = 2;
// So many transactions can have work with one worker.
inline constexpr int kMostGroups = 256;

// The level of the session this process runs: 1 when its launcher is none; 0: the process
// runs none.
extern int session_depth;

struct SegmentHeader {
    uint32 magic;
    uint32 version;
    uint64 cookie; // random; the worker's registration names the same
    Oid database;
    Oid user;
    bool elsewhere; // the database is another one than the launcher's
    int encoding;   // of the database
    int depth;      // 1: its launcher is no session
    int launcher_pid;
    int launcher_number;   // its number in the array of PGPROCs
    uint64 session_number; // of its first use: the lock in deadlock.cpp goes by it
    int idle_timeout;      // milliseconds; 0: none
    bool awaits_commit; // the worker connects when the transaction of its first work has committed
    char name[NAMEDATALEN];
    char server[NAMEDATALEN]; // where the commands are run, as others may see it; empty: here
    Size queue_size;
    Size to_worker; // offsets from the header
    Size to_launcher;
    Size setup; // frames
    Size setup_length;

    pg_atomic_uint32 flags;
    pg_atomic_uint32 pool;
    pg_atomic_uint32 worker_pid;
    pg_atomic_uint32 worker_number; // 1 + its number in the array of PGPROCs; 0: not attached
    pg_atomic_uint32 slot_entry;    // 1 + its place in the table of sessions; 0: it has none
    pg_atomic_uint32 overflow;      // DSM handle of an OverflowSegment
    pg_atomic_uint64 started;       // newest command begun
    pg_atomic_uint64 finished;      // newest command ended
    // Commands to cancel, each at its number modulo the size; 0 or an ended one: free.
    pg_atomic_uint64 cancel_targets[kCancelTargets];
    // Of the transaction whose work after the commit has this number, at it modulo the size.
    pg_atomic_uint32 outcomes[kMostGroups];
    pg_atomic_uint32 job_errors; // of that work, for the launcher to count; without preloading only
    pg_atomic_uint32 progress_version; // odd while the worker writes its progress; 0: none yet
    Progress progress;
    char fatal_message[512]; // the worker's FATAL message, for when the queue has no room
};

// Another segment: the commands that did not fit in the queue when the launcher let go.
// Their frames follow.
struct OverflowSegment {
    uint64 length;
};
static_assert(sizeof(OverflowSegment) == 8);

inline const char *frames_of(const OverflowSegment *overflow) {
    return reinterpret_cast<const char *>(overflow + 1);
}

// Another segment: the work of one transaction that had no room in the queue. Its frames follow.
// The launcher keeps it until the worker has done it, and pins it when it lets the session go
// before that; whoever comes second of kAttached and kPinned unpins it.
struct GroupSegment {
    pg_atomic_uint32 flags;
    uint32 padding;
    uint64 length;
};
static_assert(sizeof(GroupSegment) == 16);

inline char *frames_of(GroupSegment *group) { return reinterpret_cast<char *>(group + 1); }

// The worker has it, or nobody will read it any more. Errors: none.
void unpin_group(GroupSegment *group, dsm_handle handle);

inline pg_atomic_uint32 *outcome_of(SegmentHeader *header, uint64 group) {
    return &header->outcomes[group % kMostGroups];
}

// Sizes a segment for a queue of results of this size, one of commands that is as large or smaller,
// and `setup_length` bytes of setup.
Size segment_size(Size queue_size, Size setup_length);
Size command_queue_size(Size queue_size);
// Fills the header and creates the queues. Errors: pg (random numbers).
void segment_init(SegmentHeader *header, Size queue_size, const void *setup, Size setup_length);

inline shm_mq *queue_to_worker(SegmentHeader *header) {
    return reinterpret_cast<shm_mq *>(reinterpret_cast<char *>(header) + header->to_worker);
}

inline shm_mq *queue_to_launcher(SegmentHeader *header) {
    return reinterpret_cast<shm_mq *>(reinterpret_cast<char *>(header) + header->to_launcher);
}

// Overwrites the setup, in which there may be secrets. Errors: none.
void forget_setup(SegmentHeader *header);

// Marks a command to be cancelled. Of two pending ones that have the same place the one that runs
// first stays marked; the other has to be marked again when its turn comes. Errors: none.
void mark_cancelled(SegmentHeader *header, uint64 command);
// Errors: none; async-signal-safe.
bool is_cancelled(SegmentHeader *header, uint64 command);

// Leaves kResting for `next`; false when the other side was faster. Errors: none.
inline bool leave_pool(SegmentHeader *header, uint32 next) {
    uint32 expected = kResting;
    return pg_atomic_compare_exchange_u32(&header->pool, &expected, next);
}
// Before another use: no command was begun, none is cancelled. Errors: none.
void forget_commands(SegmentHeader *header);

inline bool has_flag(SegmentHeader *header, uint32 flag) {
    return (pg_atomic_read_u32(&header->flags) & flag) != 0;
}

} // namespace pllua_bg::session
