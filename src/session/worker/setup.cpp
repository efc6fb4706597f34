// What a worker takes over from its launcher before it runs commands: libraries, settings, a
// snapshot. Owns nothing.
#include "session/worker/worker.h"

#include "session/hooks.h"
#include "session/shared/guc_imposed.h"
#include "session/shared/guc_transfer.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::session {

void take_over(FrameCursor *cursor) {
    SetConfigOption("application_name", session_title(), PGC_USERSET, PGC_S_CLIENT);
    switch_client_settings_off();
    Frame frame;
    for (FrameCursor ahead = *cursor; next_frame(&ahead, &frame); *cursor = ahead) {
        if (frame.type == MessageType::kLibraries)
            load_libraries(read_libraries(frame).paths);
        else if (frame.type == MessageType::kSetting)
            apply_setting(read_setting(frame));
        else
            break;
    }
}

namespace {

// Connects to the server that is at the cursor, if one is. False when the session is over.
bool connect_elsewhere(FrameCursor *cursor) {
    Frame frame;
    FrameCursor ahead = *cursor;
    if (!next_frame(&ahead, &frame) || frame.type != MessageType::kServer) return true;
    *cursor = ahead;
    // What may be a password is not left where other processes see it.
    ServerMessage server = read_server(frame);
    char *name = pstrdup(server.name);
    explicit_bzero(const_cast<char *>(frame.payload), frame.length);
    Executor *remote = hooks.connect_to_server(name, &server.secret, cursor);
    pfree(name);
    if (remote == nullptr) return false;
    executor = remote;
    return true;
}

} // namespace

bool apply_setup() {
    SegmentHeader *header = worker.header;
    const char *setup = reinterpret_cast<char *>(header) + header->setup;
    worker.frames = {setup, setup + header->setup_length};
    StartTransactionCommand();
    fix_client_encoding();
    take_over(&worker.frames);
    CommitTransactionCommand();
    if (!connect_elsewhere(&worker.frames)) return false;
    take_snapshot(&worker.frames);
    return true;
}

} // namespace pllua_bg::session
