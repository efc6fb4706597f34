// Frames over the two queues of a session, the same code on both sides.
// Owns what was written and not yet sent. A frame is {length, type, payload}, 8-aligned, and holds
// a message. The queue takes batches of frames, of up to 32 kB; a longer frame is a batch of its
// own. Sending never waits: what the queue does not take is kept in a spill.
#pragma once

#include "session/shared/spill.h"

extern "C" {
#include "storage/shm_mq.h"
}

namespace pllua_bg::session {

enum class MessageType : uint32; // message.h

struct FrameHeader {
    uint32 length; // of the payload
    MessageType type;
};
static_assert(sizeof(FrameHeader) == 8);

inline constexpr Size kBatchSize = 32 * 1024;

struct Channel {
    MemoryContext context;
    shm_mq_handle *out;
    shm_mq_handle *in;
    bool gone;           // the other side has detached
    TimestampTz flushed; // by flush_if_late()
    bool wait;           // sending waits for room (streaming); with interrupts
    void (*stalled)();   // called each deadlock_timeout of such a wait, may raise; may be null
    char *batch;         // frames being written
    Size batch_length;
    Size batch_capacity;
    Size open_frame;     // 1 + offset in the batch of the newest frame's payload; 0: none
    const char *sending; // batch the queue has begun to take; must be offered again unchanged
    Size sending_length;
    char *sending_buffer; // when it is a former batch: to be reused
    Size sending_capacity;
    Spill *backlog; // batches after it
    SpillCursor cursor;
};

// Prepares a channel; all it allocates is in `context`. Without queues everything written is
// dropped. Errors: pg (memory).
void channel_init(Channel *channel, MemoryContext context, shm_mq_handle *out, shm_mq_handle *in);

// The other side has gone, and nothing is written any more: frees the buffers and the backlog.
// Returns the bytes of a new channel's buffers and of the backlog. Errors: none.
Size channel_release(Channel *channel);

// Room for a frame's payload, to be filled at once. Errors: pg (memory, temporary file; 54000
// too long).
char *begin_frame(Channel *channel, MessageType type, Size length);
void put_frame(Channel *channel, MessageType type, const void *payload, Size length);
// Room for `length` more bytes of the newest frame, whose *payload is still being written; nullptr
// when it is not of this type, or the batch has no room. The length is MAXALIGNed. Errors: none.
char *extend_frame(Channel *channel, MessageType type, Size length, char **payload);

// Offers what was written to the queue. Errors: pg (memory, temporary file); with `wait`
// also interrupts.
void flush(Channel *channel);
// The same, when the last such flush was some time ago: rows that come slowly are sent as they
// come. Errors: as flush.
void flush_if_late(Channel *channel);
inline constexpr int64 kLatestFlush = 5000; // microseconds
// Offers what was kept; true when nothing is left. Errors: pg (temporary file).
bool send_backlog(Channel *channel);
// True when something written was not yet taken by the queue. Errors: none.
bool has_backlog(const Channel *channel);
// Takes the next batch that was not sent completely, from the one in progress on; nullptr when
// there is none. Only for use after the channel's last flush(). Errors: pg (temporary file).
const char *take_backlog(Channel *channel, Size *length);

enum class Received { kBatch, kNothing, kGone };
// Receives a batch without waiting; it is valid until the next call. Errors: pg (memory).
Received receive_batch(Channel *channel, const char **batch, Size *length);

// Walks over the frames of a batch, or of any such string of frames.
struct FrameCursor {
    const char *at;
    const char *end;
};
struct Frame {
    MessageType type;
    const char *payload;
    Size length;
};
// False at the end. Errors: pg XX000 (damaged message).
bool next_frame(FrameCursor *cursor, Frame *frame);
// Appends a frame to a string of them and returns its payload, to be filled; valid until the next
// one. Errors: pg (memory).
char *append_frame(StringInfo frames, MessageType type, Size length);

} // namespace pllua_bg::session
