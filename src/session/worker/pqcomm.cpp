// What the server sends to a client, as frames to the launcher: errors, notices, notifications,
// COPY TO STDOUT. Owns the process's PQcommMethods.
#include "session/worker/worker.h"

#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/settings.h"

extern "C" {
// The header of GSSAPI is not needed here, and not always installed.
#undef ENABLE_GSS
#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "mb/pg_wchar.h"
}

namespace pllua_bg::session {

namespace {

void reset_output() {}
bool is_output_pending() { return false; }

// Whoever reports something does not wait for the launcher, even where rows do.
int flush_output() {
    bool wait = worker.channel.wait;
    worker.channel.wait = false;
    flush(&worker.channel);
    worker.channel.wait = wait;
    return 0;
}

void put_report(MessageType type, const char *data, Size length) {
    bool wait = worker.channel.wait;
    worker.channel.wait = false;
    if (type == MessageType::kNotification)
        write_notification(&worker.channel, data, length);
    else
        write_report(&worker.channel, type, {data, length});
    worker.channel.wait = wait;
}

// Keeps a FATAL message where the launcher finds it even if the queue is full.
void keep_fatal_message(const ReportMessage &report) {
    const char *message = fatal_message(report);
    if (message != nullptr && worker.header != nullptr)
        pg::copy_clipped(worker.header->fatal_message, message,
                         sizeof worker.header->fatal_message);
}

// What the launcher does not take waits here, on disk when it is much, but not without limit.
void put_notification(const char *data, Size length) {
    static int waiting;
    static bool dropping;
    if (!has_backlog(&worker.channel)) {
        waiting = 0;
        dropping = false;
    }
    if (pg::setting_max_notifications == 0 || waiting < pg::setting_max_notifications) {
        waiting++;
        put_report(MessageType::kNotification, data, length);
    } else if (!dropping) {
        dropping = true;
        warn_of_lost_notifications(MyProcPid);
    }
}

int put_message(char type, const char *data, size_t length) {
    if (worker.channel.gone) return 0;
    if (type == 'E') keep_fatal_message({data, length});
    if (worker.silent) return 0;
    switch (type) {
    case 'E': put_report(MessageType::kError, data, length); break;
    case 'N': put_report(MessageType::kNotice, data, length); break;
    case 'A': put_notification(data, length); break;
    case 'H': // CopyOutResponse: its first byte is 1 when the format is binary
        begin_copy_rows(length > 0 && data[0] == 1);
        break;
    case 'd': put_copy_row(data, length); break;
    default: // the end of a COPY, parameter changes: nothing the launcher needs
        break;
    }
    return 0;
}

void put_message_noblock(char type, const char *data, size_t length) {
    (void)put_message(type, data, length);
}

const PQcommMethods methods = {reset_output,      flush_output, flush_output,
                               is_output_pending, put_message,  put_message_noblock};

} // namespace

void install_output() {
    // The server's own would fill the buffer of a client there is none of, without an end: an error
    // that is raised again is still meant for the client it was raised for.
    PqCommMethods = &methods;
    if (worker.channel.gone) return;
    whereToSendOutput = DestRemote;
    FrontendProtocol = PG_PROTOCOL_LATEST;
}

void remove_output() {
    worker.channel.gone = true;
    whereToSendOutput = DestNone;
}

void send_tag(const QueryCompletion *completion) {
    if (worker.silent) return;
    char tag[COMPLETION_TAG_BUFSIZE];
    pg::completion_text(tag, completion);
    send_tag(tag, completion->nprocessed);
}

void send_tag(const char *tag, uint64 processed) { write_tag(&worker.channel, {processed, tag}); }

} // namespace pllua_bg::session
