// Frames over the two queues of a session. See channel.h; the queues are
// src/backend/storage/ipc/shm_mq.c. Owns nothing beyond its channels.
#include "session/shared/channel.h"

#include "pg/compat.h"
#include "pg/wait.h"

extern "C" {
#include "storage/latch.h"
}

namespace pllua_bg::session {

namespace {

// Offers one batch; false when the queue has not taken all of it.
bool offer(Channel *channel, const char *batch, Size length) {
    shm_mq_result result = shm_mq_send(channel->out, length, batch, true, true);
    if (result == SHM_MQ_DETACHED) channel->gone = true;
    return result != SHM_MQ_WOULD_BLOCK;
}

void release_sent(Channel *channel) {
    channel->sending = nullptr;
    channel->sending_length = 0;
}

// The batch becomes the one in progress; its successor gets the spare buffer. Cannot fail: the
// queue has begun to take it.
void keep_batch(Channel *channel) {
    char *spare = channel->sending_buffer;
    Size capacity = channel->sending_capacity;
    channel->sending = channel->sending_buffer = channel->batch;
    channel->sending_length = channel->batch_length;
    channel->sending_capacity = channel->batch_capacity;
    channel->batch = spare;
    channel->batch_capacity = capacity;
}

// A batch that had to be larger than usual gives its memory back.
void shrink_batch(Channel *channel) {
    if (channel->batch_capacity <= kBatchSize) return;
    char *smaller = static_cast<char *>(MemoryContextAlloc(channel->context, kBatchSize));
    pfree(channel->batch);
    channel->batch = smaller;
    channel->batch_capacity = kBatchSize;
}

void wait_for_room(Channel *channel) {
    while (!send_backlog(channel)) {
        const bool woken = pg::wait_latch(DeadlockTimeout, pg::WaitEvent::kRoom);
        if (!woken && channel->stalled != nullptr) channel->stalled();
    }
}

// Room at the end of the batch, after flushing it when it would grow beyond its usual size.
char *reserve(Channel *channel, Size length) {
    if (channel->batch_length + length > channel->batch_capacity) {
        flush(channel);
        if (length > channel->batch_capacity) {
            if (length > MaxAllocSize)
                ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                                errmsg("message of %zu bytes is too long for a background session",
                                       length)));
            char *larger = static_cast<char *>(MemoryContextAlloc(channel->context, length));
            pfree(channel->batch);
            channel->batch = larger;
            channel->batch_capacity = length;
        }
    }
    char *room = channel->batch + channel->batch_length;
    channel->batch_length += length;
    return room;
}

} // namespace

void channel_init(Channel *channel, MemoryContext context, shm_mq_handle *out, shm_mq_handle *in) {
    memset(channel, 0, sizeof *channel);
    channel->context = context;
    channel->out = out;
    channel->in = in;
    channel->gone = out == nullptr;
    channel->batch = static_cast<char *>(MemoryContextAlloc(context, kBatchSize));
    channel->batch_capacity = kBatchSize;
    channel->sending_buffer = static_cast<char *>(MemoryContextAlloc(context, kBatchSize));
    channel->sending_capacity = kBatchSize;
    channel->backlog = spill_create(context);
    spill_rewind(&channel->cursor, context);
}

Size channel_release(Channel *channel) {
    const Size freed = 2 * kBatchSize + channel->backlog->memory;
    channel->gone = true;
    spill_free(channel->backlog);
    pfree(channel->batch);
    pfree(channel->sending_buffer);
    channel->backlog = nullptr;
    channel->batch = channel->sending_buffer = nullptr;
    channel->sending = nullptr;
    channel->batch_length = channel->batch_capacity = channel->sending_capacity = 0;
    return freed;
}

bool send_backlog(Channel *channel) {
    for (;;) {
        if (channel->gone) return true;
        if (channel->sending == nullptr) {
            Size length = 0;
            const char *batch = spill_next(channel->backlog, &channel->cursor, true, &length);
            if (batch == nullptr) return true;
            channel->sending = batch;
            channel->sending_length = length;
        }
        if (!offer(channel, channel->sending, channel->sending_length)) return false;
        release_sent(channel);
    }
}

bool has_backlog(const Channel *channel) {
    return !channel->gone &&
           (channel->sending != nullptr || channel->backlog->early.first != nullptr ||
            channel->backlog->file_items > 0 || channel->backlog->late.first != nullptr);
}

const char *take_backlog(Channel *channel, Size *length) {
    if (channel->sending != nullptr) {
        const char *batch = channel->sending;
        *length = channel->sending_length;
        release_sent(channel);
        return batch;
    }
    return spill_next(channel->backlog, &channel->cursor, true, length);
}

void flush(Channel *channel) {
    if (channel->batch_length == 0) return;
    channel->open_frame = 0;
    if (channel->gone) {
        channel->batch_length = 0;
        return;
    }
    if (!send_backlog(channel))
        spill_append(channel->backlog, channel->batch, channel->batch_length);
    else if (!channel->gone && !offer(channel, channel->batch, channel->batch_length))
        keep_batch(channel);
    channel->batch_length = 0;
    shrink_batch(channel);
    if (channel->wait) wait_for_room(channel);
}

void flush_if_late(Channel *channel) {
    const TimestampTz now = GetCurrentTimestamp();
    if (now - channel->flushed < kLatestFlush) return;
    flush(channel);
    channel->flushed = now;
}

char *begin_frame(Channel *channel, MessageType type, Size length) {
    char *room = reserve(channel, sizeof(FrameHeader) + MAXALIGN(length));
    FrameHeader header = {static_cast<uint32>(length), type};
    memcpy(room, &header, sizeof header);
    char *payload = room + sizeof header;
    channel->open_frame = static_cast<Size>(payload - channel->batch) + 1;
    if (length != MAXALIGN(length)) memset(payload + length, 0, MAXALIGN(length) - length);
    return payload;
}

void put_frame(Channel *channel, MessageType type, const void *payload, Size length) {
    char *at = begin_frame(channel, type, length);
    if (length > 0) memcpy(at, payload, length); // memcpy takes no nullptr
}

char *extend_frame(Channel *channel, MessageType type, Size length, char **payload) {
    if (channel->open_frame == 0 || channel->batch_length + length > channel->batch_capacity)
        return nullptr;
    *payload = channel->batch + channel->open_frame - 1;
    auto *header = reinterpret_cast<FrameHeader *>(*payload - sizeof(FrameHeader));
    if (header->type != type) return nullptr;
    header->length += length;
    char *room = channel->batch + channel->batch_length;
    channel->batch_length += length;
    return room;
}

Received receive_batch(Channel *channel, const char **batch, Size *length) {
    void *data = nullptr;
    switch (shm_mq_receive(channel->in, length, &data, true)) {
    case SHM_MQ_SUCCESS: *batch = static_cast<const char *>(data); return Received::kBatch;
    case SHM_MQ_WOULD_BLOCK: return Received::kNothing;
    default: return Received::kGone;
    }
}

char *append_frame(StringInfo frames, MessageType type, Size length) {
    FrameHeader header = {static_cast<uint32>(length), type};
    appendBinaryStringInfo(frames, reinterpret_cast<char *>(&header), sizeof header);
    int offset = frames->len;
    enlargeStringInfo(frames, static_cast<int>(MAXALIGN(length)));
    memset(frames->data + offset, 0, MAXALIGN(length));
    frames->len += static_cast<int>(MAXALIGN(length));
    return frames->data + offset;
}

bool next_frame(FrameCursor *cursor, Frame *frame) {
    Size rest = cursor->end - cursor->at;
    if (rest == 0) return false;
    FrameHeader header;
    if (rest < sizeof header) elog(ERROR, "damaged message in a background session");
    memcpy(&header, cursor->at, sizeof header);
    if (rest - sizeof header < MAXALIGN(header.length))
        elog(ERROR, "damaged message in a background session");
    frame->type = header.type;
    frame->payload = cursor->at + sizeof header;
    frame->length = header.length;
    cursor->at += sizeof header + MAXALIGN(header.length);
    return true;
}

} // namespace pllua_bg::session
