// What a command looks like in a frame: its text and its typed parameters, in binary.
// Owns nothing. The reader trusts the writer: both are processes of one server.
#pragma once

#include "session/session.h"
#include "session/shared/channel.h"
#include "session/shared/row_definition.h"

namespace pllua_bg::session {

// Bits of WireCommand::flags.
inline constexpr uint32 kPrepare = 8;   // keep the statement under the number instead of running it
inline constexpr uint32 kStreaming = 1; // the worker waits for the launcher to take the rows
inline constexpr uint32 kQuiet = 2;     // the worker throws the rows away
inline constexpr uint32 kLast = 4;      // the worker ends when it has done this command

struct WireCommand {
    CommandId id;
    uint32 flags;
    uint32 nparams;
    const char *sql;
    const Param *params;
    uint32 statement; // number of a prepared statement; 0: none
    RowDefinition **definitions =
        nullptr; // of what has been read: those of the row types in each parameter
};

// In front of a serialized snapshot, which has to be aligned.
struct SnapshotHeader {
    LocalTransactionId transaction; // of the launcher
    uint32 padding;
};
static_assert(sizeof(SnapshotHeader) == 8);

// Writes a command as one frame. Errors: pg 0A000 (a parameter whose type only this process knows),
// 55000 (one whose type the open transaction has changed), 54000 (too long).
void write_command(Channel *channel, const WireCommand *command);
// Reads it; the text and the parameters are copied into CurrentMemoryContext. Errors: pg (memory).
void read_command(const Frame *frame, WireCommand *command);

// Says that notifications for the worker with this pid are lost. Errors: pg, those of a warning.
void warn_of_lost_notifications(int pid);

// Appends a frame and returns its payload, to be filled; valid until the next one. Errors: pg
// (memory).
char *append_frame(StringInfo frames, FrameType type, Size length);
// How a setting is set: as its user could, with the rights of the setter too if there is one; or
// imposed on him.
struct SettingOrigin {
    Oid setter;
    bool imposed;
    bool known;       // imposed: its library is loaded, the value has been checked
    GucSource source; // imposed: where the launcher has it from
};
// An origin, and two strings with their ends, as a setting has them. Errors: pg (memory).
void write_setting(StringInfo frames, const SettingOrigin &origin, const char *name,
                   const char *value);
// A command in the same form, appended to a string of frames instead of a channel.
void append_command(StringInfo frames, const WireCommand *command);

} // namespace pllua_bg::session
