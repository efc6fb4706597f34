// What a new worker needs of the server: a shared memory segment and a slot. Sessions of the pool
// make room for it. Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/background_worker.h"
#include "pg/compat.h"
#include "pg/reserve.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"
#include "session/shared/slot_waiters.h"

namespace pllua_bg::session {

namespace {

constexpr long kPause = 10;       // milliseconds
constexpr long kPauseInLine = 50; // the same, while others are to get a slot first

// Registers a worker for a segment; false when no slot is free. Errors: pg.
bool register_worker(dsm_segment *segment, BackgroundWorkerHandle **handle) {
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(segment));
    if (!take_entry(header)) return false;
    BackgroundWorker worker;
    pg::describe_worker(&worker, kWorkerFunction, kWorkerType);
    worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
    pg_snprintf(worker.bgw_name, BGW_MAXLEN, "pllua_bg session of PID %d", MyProcPid);
    memcpy(worker.bgw_extra, &header->cookie, sizeof header->cookie);
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    bool registered = RegisterDynamicBackgroundWorker(&worker, handle);
    MemoryContextSwitchTo(old);
    if (!registered) retire_entry(header);
    return registered;
}

// With dynamic_shared_memory_type = mmap the server leaves a buffer in the current context.
dsm_segment *new_segment(Size size) {
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg segment", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(scratch);
    dsm_segment *segment = pg::create_segment(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(scratch);
    return segment;
}

[[noreturn]] void refuse_slot(const char *refusal) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("%s", refusal),
                    errhint("You may need to increase max_worker_processes.")));
}

} // namespace

dsm_segment *try_segment(Size size) {
    dsm_segment *segment = new_segment(size);
    if (segment == nullptr && pool_count > 0) {
        trim_pool(0);
        // A segment is there until the worker has let it go, too.
        const TimestampTz end = GetCurrentTimestamp() + pg::setting_launch_wait * INT64CONST(1000);
        while (segment == nullptr && pg::milliseconds_until(end) > 0) {
            (void)pg::wait_latch(kPause, pg::WaitEvent::kStart);
            segment = new_segment(size);
        }
    }
    if (segment != nullptr) dsm_pin_mapping(segment);
    return segment;
}

dsm_segment *create_segment(Size size) {
    dsm_segment *segment = try_segment(size);
    if (segment == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                 errmsg("too many dynamic shared memory segments for another background session"),
                 errhint("The number of segments depends on max_connections.")));
    return segment;
}

void await_slot(dsm_segment *segment, double seconds, double waited, const char *refusal,
                BackgroundWorkerHandle **handle) {
    const TimestampTz deadline =
        GetCurrentTimestamp() + static_cast<int64>(Min(seconds, 1e9) * 1e6);
    // Who comes last does not take what others wait for.
    if (!is_slot_awaited() && register_worker(segment, handle)) return;
    long rest = pg::milliseconds_until(deadline);
    if (rest == 0) refuse_slot(refusal);
    begin_slot_wait(waited);
    // At first often: a worker may just be ending.
    for (long pause = 1;; pause = Min(pause * 2, kPause)) {
        // A session nobody uses makes room.
        settle_committers();
        trim_pool(pool_count - 1);
        // Workers that end need what they wrote to be taken.
        receive_all();
        const bool is_next = is_next_in_line();
        if (is_next && register_worker(segment, handle)) break;
        rest = pg::milliseconds_until(deadline);
        if (rest == 0) {
            end_slot_wait();
            refuse_slot(refusal);
        }
        (void)pg::wait_latch(Min(rest, is_next ? pause : kPauseInLine), pg::WaitEvent::kStart);
    }
    end_slot_wait();
}

} // namespace pllua_bg::session
