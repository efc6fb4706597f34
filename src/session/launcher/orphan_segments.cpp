// Segments left to workers that have not attached to them yet.
// Owns the list of them. Such a segment is pinned, or it would go with the last process that has it
// mapped; the worker unpins it as soon as it has attached. A worker that ends before (its process
// could not be made, the library could not be loaded) never does, so whoever pinned the segment
// keeps the handle of the worker and looks after it.
#include "session/launcher/launcher.h"

#include "pg/guard.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::session {

namespace {

struct OrphanSegment {
    OrphanSegment *before;
    OrphanSegment *after;
    dsm_handle segment;
    uint64 cookie;
    BackgroundWorkerHandle *worker;
};

pg::LinkedList<OrphanSegment> orphans;

// Milliseconds for which the end of a process waits for a worker that has a process and has not
// attached yet. One that has none yet is waited for without limit: only the postmaster makes it
// wait, and it starts or forgets it, even when the server shuts down.
constexpr int kMostWait = 3000;

void give_back(const OrphanSegment *entry, SegmentHeader *header) {
    if (has_flag(header, kOverflow)) dsm_unpin_segment(pg_atomic_read_u32(&header->overflow));
    retire_entry(header);
    forget_setup(header);
    dsm_unpin_segment(entry->segment);
}

// True when the worker has attached, or ended without; then the segment is given back.
// Errors: pg (shared memory).
bool is_settled(const OrphanSegment *entry, bool stopped) {
    dsm_segment *mapped = dsm_find_mapping(entry->segment);
    dsm_segment *segment = mapped != nullptr ? mapped : dsm_attach(entry->segment);
    if (segment == nullptr) return true;
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(segment));
    bool ours = header->magic == kSegmentMagic && header->cookie == entry->cookie;
    bool attached = !ours || has_flag(header, kAttached);
    if (!attached && stopped) give_back(entry, header);
    if (mapped == nullptr) dsm_detach(segment);
    return attached || stopped;
}

bool has_stopped(const OrphanSegment *entry) {
    pid_t pid;
    BgwHandleStatus status = GetBackgroundWorkerPid(entry->worker, &pid);
    return status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED;
}

// Looks after those whose worker has stopped, or after all.
void look_after(bool all) {
    OrphanSegment *after;
    for (OrphanSegment *entry = orphans.first; entry != nullptr; entry = after) {
        after = entry->after;
        bool stopped = has_stopped(entry);
        if (!(all || stopped) || !is_settled(entry, stopped)) continue;
        orphans.remove(entry);
        pfree(entry->worker);
        pfree(entry);
    }
}

bool some_have_no_process() {
    for (OrphanSegment *entry = orphans.first; entry != nullptr; entry = entry->after) {
        pid_t pid;
        if (GetBackgroundWorkerPid(entry->worker, &pid) == BGWH_NOT_YET_STARTED) return true;
    }
    return false;
}

TimestampTz end_of_wait() { return GetCurrentTimestamp() + kMostWait * INT64CONST(1000); }

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_PRE_COMMIT) collect_orphans();
}

} // namespace

void pin_for_worker(dsm_segment *segment, SegmentHeader *header, BackgroundWorkerHandle **worker) {
    auto *entry = static_cast<OrphanSegment *>(
        MemoryContextAllocZero(TopMemoryContext, sizeof(OrphanSegment)));
    entry->segment = dsm_segment_handle(segment);
    entry->cookie = header->cookie;
    dsm_pin_segment(segment);
    if (pg_atomic_fetch_or_u32(&header->flags, kPinned) & kAttached) {
        dsm_unpin_segment(entry->segment);
        pfree(entry);
        return;
    }
    entry->worker = *worker;
    *worker = nullptr;
    orphans.append(entry);
}

void collect_orphans() {
    if (orphans.first != nullptr)
        // What cannot be looked at now is looked at the next time.
        pg::free_error(pg::attempt([] { look_after(false); }));
}

void await_orphans() {
    TimestampTz end = end_of_wait();
    while (orphans.first != nullptr) {
        pg::free_error(pg::attempt([] { look_after(true); }));
        if (some_have_no_process()) end = end_of_wait();
        long rest = pg::milliseconds_until(end);
        if (orphans.first == nullptr || rest == 0) return;
        (void)pg::wait_latch_only(Min(rest, 10), pg::WaitEvent::kStart);
    }
}

void initialize_orphans() { RegisterXactCallback(at_transaction_end, nullptr); }

} // namespace pllua_bg::session
