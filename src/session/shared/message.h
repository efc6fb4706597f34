// The messages between launcher and worker: each is one struct here, and is written and read side
// by side in message_command.cpp, message_setup.cpp or message_result.cpp. docs/protocol.md says
// who sends them and when; tools/lint/protocol compares it with this file. Owns nothing. The reader
// trusts the writer: both are processes of one server. What a message that was read points to is in
// its frame, unless its reader says otherwise.
#pragma once

#include "session/session.h"
#include "session/shared/channel.h"
#include "session/shared/row_definition.h"

namespace pllua_bg::session {

enum class MessageType : uint32 {
    // to the worker
    kCommand = 'Q',   // CommandMessage
    kForget = 'F',    // ForgetMessage
    kReset = 'R',     // ResetMessage
    kReuse = 'U',     // ReuseMessage
    kGroup = 'G',     // GroupMessage
    kLibraries = 'L', // LibrariesMessage
    kSetting = 'S',   // SettingMessage
    kServer = 'V',    // ServerMessage
    kSnapshot = 'X',  // SnapshotMessage
    // to the launcher
    kReady = 'Z',        // ReadyMessage
    kColumns = 'T',      // ColumnsMessage
    kRows = 'D',         // RowsMessage
    kTag = 'C',          // TagMessage
    kError = 'E',        // ReportMessage
    kNotice = 'N',       // ReportMessage
    kNotification = 'A', // NotificationMessage
    kResetDone = 'r',    // empty
    kReuseBegun = 'u',   // empty
};

// Bits of CommandMessage::flags.
inline constexpr uint32 kStreaming = 1; // the worker waits for the launcher to take the rows
inline constexpr uint32 kQuiet = 2;     // the worker throws the rows away
inline constexpr uint32 kLast = 4;      // the worker ends when it has done this command
inline constexpr uint32 kPrepare = 8;   // keep the statement under the number instead of running it

struct CommandMessage {
    CommandId id;
    uint32 flags;
    uint32 nparams;
    const char *sql;
    const Param *params;
    uint32 statement;                      // number of a prepared statement; 0: none
    RowDefinition **definitions = nullptr; // read: those of the row types in each parameter
};
// Elsewhere, to a worker in another database, parameters go as weak text where their values mean
// nothing there. Errors: pg 0A000 (a parameter whose type only this process knows), 55000 (one
// whose type the open transaction has changed), 54000 (too long), those of output functions.
void write_command(Channel *channel, const CommandMessage &command, bool elsewhere);
// For work after the commit. Errors: as write_command(), but for 55000.
void append_command(StringInfo frames, const CommandMessage &command);
// The text and the parameters are copied into CurrentMemoryContext. Errors: pg (memory).
CommandMessage read_command(const Frame &frame);

// A message of a fixed size travels as its struct is, by write_fixed() and read_fixed(); its type
// is kTypeOf its struct.
template <class M> extern const MessageType kTypeOf;
// Errors: pg (memory); to the launcher also temporary file.
template <class M> void write_fixed(Channel *channel, const M &message) {
    put_frame(channel, kTypeOf<M>, &message, sizeof message);
}
// Errors: none.
template <class M> M read_fixed(const Frame &frame) {
    M message;
    memcpy(&message, frame.payload, sizeof message);
    return message;
}

struct ForgetMessage {
    uint32 statement;
};
static_assert(sizeof(ForgetMessage) == 4);
template <> inline constexpr MessageType kTypeOf<ForgetMessage> = MessageType::kForget;

struct ResetMessage {
    int64 lifetime; // milliseconds
};
static_assert(sizeof(ResetMessage) == 8);
template <> inline constexpr MessageType kTypeOf<ResetMessage> = MessageType::kReset;

// The frames of a setup as one message.
struct ReuseMessage {
    const char *setup;
    Size length;
};
// Errors: pg (memory).
void write_reuse(Channel *channel, const ReuseMessage &reuse);
// Errors: none.
ReuseMessage read_reuse(const Frame &frame);

// The work of one transaction after its commit, for one role: a setup, and a string of frames. Each
// kReuse in it is another setup, for the kCommands after it.
struct GroupMessage {
    CommandId id;
    int64 lifetime;     // milliseconds the worker then waits for another use
    const char *setup;  // of the first commands
    Size setup_length;  // 0: that of the group before
    uint32 segment;     // handle of the GroupSegment with the frames; 0: they are here
    const char *frames; // read: null when they are in a segment
    Size length;        // of the frames that are here
};
// Room for the frames. Errors: pg (memory, temporary file).
char *write_group(Channel *channel, const GroupMessage &group);
// Errors: none.
GroupMessage read_group(const Frame &frame);
// Bytes of a frame with a payload of this length, and writing one: returns where the next begins.
// Errors: none.
Size frame_size(Size length);
char *write_frame(char *at, MessageType type, const void *payload, Size length);

// A setup is a string of frames: what the worker takes over before it runs a command.

struct LibrariesMessage {
    char *paths; // as RestoreLibraryState takes them
};
// Appends the libraries of this process. Errors: pg (memory).
void append_libraries(StringInfo setup);
// Errors: none.
LibrariesMessage read_libraries(const Frame &frame);

struct SettingMessage {
    Oid setter;       // not imposed: with whose rights, too, it was set; 0: those of none
    bool imposed;     // on the user, instead of being set as he could
    bool known;       // imposed: its library is loaded, the value has been checked
    GucSource source; // imposed: where the launcher has it from
    const char *name;
    const char *value;
};
// Errors: pg (memory).
void append_setting(StringInfo setup, const SettingMessage &setting);
// Errors: none.
SettingMessage read_setting(const Frame &frame);

// By which the worker is let in there, beside what the catalogs say; length 0: nothing.
struct ServerSecret {
    uint32 length;
    char bytes[64];
};
static_assert(sizeof(ServerSecret) == 68);

// The kSetting after it are for the session there, as its user could set them.
struct ServerMessage {
    ServerSecret secret;
    const char *name;
};
// Errors: pg (memory).
void append_server(StringInfo setup, const ServerMessage &server);
// Errors: none.
ServerMessage read_server(const Frame &frame);

struct SnapshotMessage {
    LocalTransactionId transaction; // of the launcher
    Snapshot snapshot;
};
// Errors: pg (memory).
void append_snapshot(StringInfo setup, const SnapshotMessage &snapshot);
// The snapshot is in CurrentMemoryContext. Errors: pg (memory).
SnapshotMessage read_snapshot(const Frame &frame);

struct ReadyMessage {
    CommandId command; // the newest one completed; 0: the session has started
    char transaction;  // 'I', 'T' or 'E'
    TimestampTz begun; // when that command began, by the worker's clock; 0: none did
    TimestampTz ended;
};
static_assert(sizeof(ReadyMessage) == 32);
template <> inline constexpr MessageType kTypeOf<ReadyMessage> = MessageType::kReady;

// One column of a ColumnsMessage.
struct ColumnMessage {
    Oid type; // of the statement's column; 0: one of another database
    int32 typmod;
    Oid collation;
    Oid sent_type; // what the tuples hold
    int16 sent_length;
    bool sent_by_value;
    char sent_alignment;
    char sent_storage;
    bool as_text; // see Column in session.h
    bool changed;
    const char *name;
    const char *type_name;
    const char *definitions; // row_definition.h; written from the type
    int32 definitions_length;
};
struct ColumnsMessage {
    int32 ncolumns;
    const char *columns; // read_column() takes one after the other
};
// Appends the columns one by one to what begin_columns() has begun. Errors: pg (memory, catalog).
void begin_columns(StringInfo columns, int32 ncolumns);
void append_column(StringInfo columns, const ColumnMessage &column);
// Errors: pg (memory, temporary file), as all that write to the launcher.
void write_columns(Channel *channel, StringInfo columns);
// Takes the first of those that are left. Errors: none.
ColumnMessage read_column(ColumnsMessage *left);

struct RowsMessage {
    uint64 nrows;
    const char *tuples; // MinimalTuples, each MAXALIGNed
    Size length;        // bytes of them
};
// Room for one tuple of `length` bytes, in the message of the row before where that is the newest
// and has room. Errors: also pg 54000; with Channel::wait interrupts.
char *begin_row(Channel *channel, Size length);
// What a kRows frame holds. Errors: none.
RowsMessage read_rows(const char *payload, Size length);

struct TagMessage {
    uint64 processed; // rows
    const char *tag;
};
void write_tag(Channel *channel, const TagMessage &tag);

// An error or a notice, as the server's ErrorResponse and NoticeResponse.
struct ReportMessage {
    const char *fields;
    Size length;
};
void write_report(Channel *channel, MessageType type, const ReportMessage &report);
// In CurrentMemoryContext, its texts in the encoding of this database. Errors: pg (memory).
ErrorData *read_report(const ReportMessage &report);
// The primary message when the severity is FATAL or PANIC; else nullptr. Errors: none.
const char *fatal_message(const ReportMessage &report);

// As the server's NotificationResponse.
struct NotificationMessage {
    int32 pid; // of the process that notified
    const char *channel;
    const char *payload;
    Size length; // bytes of both texts, which follow each other
};
// `response`: what the server would send to a client.
void write_notification(Channel *channel, const char *response, Size length);

// Says that notifications for the worker with this pid are lost. Errors: pg, those of a warning.
void warn_of_lost_notifications(int pid);

// kResetDone or kReuseBegun.
void write_empty(Channel *channel, MessageType type);

// A message to the launcher.
struct Message {
    MessageType type;
    const char *payload; // of its frame
    Size length;
    union {
        ReadyMessage ready;
        ColumnsMessage columns;
        RowsMessage rows;
        TagMessage tag;
        ReportMessage report;
        NotificationMessage notification;
    };
};
// Errors: pg XX000 (no such message).
Message read_message(const Frame &frame);

} // namespace pllua_bg::session
