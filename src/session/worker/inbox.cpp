// What the launcher has sent: taken in order, and looked at before its turn by executors that can
// begin a command while the one before it runs. Owns what was received and not taken, where more
// was received since.
#include "session/worker/worker.h"

namespace pllua_bg::session {

namespace {

// Nothing more is received while so many bytes are not taken yet.
constexpr Size kMostKept = 64 * 1024;

char *kept; // what is left, where it is not in a batch
Size kept_capacity;
Size looked; // bytes of the command that was found last

bool open_overflow() {
    SegmentHeader *header = worker.header;
    if (worker.overflow_read || !has_flag(header, kOverflow)) return false;
    worker.overflow_read = true;
    dsm_handle handle = pg_atomic_read_u32(&header->overflow);
    dsm_segment *segment = dsm_attach(handle);
    if (segment == nullptr) return false;
    dsm_unpin_segment(handle);
    const auto *overflow = static_cast<OverflowSegment *>(dsm_segment_address(segment));
    worker.frames = {frames_of(overflow), frames_of(overflow) + overflow->length};
    return true;
}

Size left() { return static_cast<Size>(worker.frames.end - worker.frames.at); }

void forget_kept() {
    if (kept != nullptr) pfree(kept);
    kept = nullptr;
    kept_capacity = 0;
    worker.frames = {};
}

// Puts what is left to the beginning of a place that has room for so much more: a batch is there
// only until the next is received, and then cannot be had again.
void keep_left(Size more) {
    const Size length = left();
    if (length + more <= kept_capacity) {
        if (length > 0) memmove(kept, worker.frames.at, length);
    } else {
        const Size capacity = Max(length + more, kMostKept);
        auto *larger = static_cast<char *>(MemoryContextAllocExtended(
            TopMemoryContext, capacity, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM));
        if (larger == nullptr)
            ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
        if (length > 0) memcpy(larger, worker.frames.at, length);
        forget_kept();
        kept = larger;
        kept_capacity = capacity;
    }
    worker.frames = {kept, kept + length};
}

// Receives a batch behind what is left.
bool receive_more() {
    if (worker.channel.gone || left() > kMostKept) return false;
    keep_left(0);
    const char *batch;
    Size length;
    if (receive_batch(&worker.channel, &batch, &length) != Received::kBatch) return false;
    keep_left(length);
    memcpy(kept + left(), batch, length);
    worker.frames.end += length;
    return true;
}

} // namespace

bool take_message(Frame *frame) {
    const char *before = worker.frames.at;
    if (!next_frame(&worker.frames, frame)) return false;
    const Size taken = static_cast<Size>(worker.frames.at - before);
    worker.passed -= Min(worker.passed, taken);
    return true;
}

bool receive_messages(bool *found) {
    const char *batch;
    Size length;
    *found = false;
    if (kept_capacity > 2 * kMostKept) forget_kept();
    switch (receive_batch(&worker.channel, &batch, &length)) {
    case Received::kBatch:
        worker.frames = {batch, batch + length};
        *found = true;
        return true;
    case Received::kGone: *found = open_overflow(); return *found;
    case Received::kNothing: break;
    }
    return true;
}

bool look_ahead(CommandMessage *command) {
    if (worker.group.id != 0 || has_flag(worker.header, kClosing)) return false;
    if (left() == worker.passed && !receive_more()) return false;
    FrameCursor cursor = {worker.frames.at + worker.passed, worker.frames.end};
    Frame frame;
    if (!next_frame(&cursor, &frame) || frame.type != MessageType::kCommand) return false;
    looked = static_cast<Size>(cursor.at - worker.frames.at) - worker.passed;
    *command = read_command(frame);
    return !is_cancelled(worker.header, command->id);
}

void pass_ahead() { worker.passed += looked; }

} // namespace pllua_bg::session
