// Frames over the two queues of a session, the same code on both sides.
// Owns what was written and not yet sent. A frame is {length, type, payload}, 8-aligned; frames are
// packed in messages of up to 32 kB; a longer frame is a message of its own. Sending never waits:
// what the queue does not take is kept in a spool.
#pragma once

#include "session/shared/spill.h"

extern "C" {
#include "storage/shm_mq.h"
}

namespace pllua_bg::session {

enum class FrameType : uint32 {
    kCommand = 'Q',      // to the worker: CommandFrame, sql, parameters
    kLibraries = 'L',    // to the worker, setup only: paths of the launcher's libraries
    kSetting = 'S',      // to the worker, setup only: SettingOrigin, name, value
    kRest = 'R',         // to the worker: RestFrame, forget this use; back: empty, it is done
    kRenew = 'W',        // to the worker: a setup, begin another use; back: empty, begun
    kSnapshot = 'X',     // to the worker, after settings: begin a transaction (snapshot.cpp)
    kForget = 'F',       // to the worker: uint32, number of a prepared statement
    kReady = 'Z',        // ReadyFrame
    kColumns = 'T',      // a row description begins a result set
    kRows = 'D',         // uint64 number of rows, then MinimalTuples, each 8-aligned
    kTag = 'C',          // uint64 rows processed, command tag
    kError = 'E',        // as the server's ErrorResponse
    kNotice = 'N',       // as the server's NoticeResponse
    kNotification = 'A', // as the server's NotificationResponse
};

struct FrameHeader {
    uint32 length; // of the payload
    FrameType type;
};

struct ReadyFrame {
    uint64 command;    // the newest command completed; 0: the session has started
    char transaction;  // 'I', 'T' or 'E'
    TimestampTz begun; // when that command began; 0: none did
    TimestampTz ended;
};

struct RestFrame {
    int64 milliseconds; // after which a worker that is not used again ends
};

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
    Size open_rows;      // 1 + offset in the batch of the open kRows frame; 0: none
    const char *sending; // message the queue has begun to take; must be offered again unchanged
    Size sending_length;
    char *sending_buffer; // when it is a former batch: to be reused
    Size sending_capacity;
    Spool *backlog; // messages after it
    SpoolCursor cursor;
};

// Prepares a channel; all it allocates is in `context`. Without queues everything written is
// dropped. Errors: pg (memory).
void channel_init(Channel *channel, MemoryContext context, shm_mq_handle *out, shm_mq_handle *in);

// The other side has gone, and nothing is written any more: frees the buffers and the backlog.
// Returns the bytes of a new channel's buffers and of the backlog. Errors: none.
Size channel_release(Channel *channel);

// Room for a frame's payload, to be filled at once. Errors: pg (memory, temporary file; 54000 too
// long).
char *begin_frame(Channel *channel, FrameType type, Size length);
void put_frame(Channel *channel, FrameType type, const void *payload, Size length);
// Room for one tuple of `length` bytes in the open kRows frame. Errors: as begin_frame; with `wait`
// also interrupts.
char *begin_row(Channel *channel, Size length);

// Offers what was written to the queue. Errors: pg (memory, temporary file); with `wait` also
// interrupts.
void flush(Channel *channel);
// The same, when the last such flush was some time ago: rows that come slowly are sent as they
// come. Errors: as flush.
void flush_if_late(Channel *channel);
inline constexpr int64 kLatestFlush = 5000; // microseconds
// Offers what was kept; true when nothing is left. Errors: pg (temporary file).
bool send_backlog(Channel *channel);
// True when something written was not yet taken by the queue. Errors: none.
bool has_backlog(const Channel *channel);
// Takes the next message that was not sent completely, from the one in progress on; nullptr when
// there is none. Only for use after the channel's last flush(). Errors: pg (temporary file).
const char *take_backlog(Channel *channel, Size *length);

enum class Received { kMessage, kNothing, kGone };
// Receives a message without waiting; it is valid until the next call. Errors: pg (memory).
Received receive(Channel *channel, const char **message, Size *length);

// Walks over the frames of a message.
struct FrameCursor {
    const char *at;
    const char *end;
};
struct Frame {
    FrameType type;
    const char *payload;
    Size length;
};
// False at the end. Errors: pg XX000 (damaged message).
bool next_frame(FrameCursor *cursor, Frame *frame);

} // namespace pllua_bg::session
