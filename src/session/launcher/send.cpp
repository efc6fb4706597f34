// Sending commands to sessions.
// Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/guard.h"
#include "pg/held.h"
#include "pg/settings.h"
#include "session/shared/statistics.h"

extern "C" {
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

namespace {

// What goes to the worker of a command.
struct Request {
    uint32 flags;
    uint32 statement;
    const char *sql;
    int nparams;
    const Param *params;
    bool cleanup = false;
};

// Raises when the session has too much to do, or this backend holds too much already.
void check_room(const Session *session) {
    const auto most = static_cast<uint64>(pg::setting_max_queued);
    const uint64 queued = session->last_sent - session->last_done;
    if (most != 0 && queued >= most)
        ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("too many commands for one background session"),
                        errdetail("It has not done " UINT64_FORMAT " of them.", queued),
                        errhint("Wait for the results of earlier commands, or increase "
                                "pllua_bg.max_queued.")));
    pg::check_held(sizeof(OwnCommand));
}

CommandId send_request(Session *session, const Request &request) {
    if (!request.cleanup) check_not_restricted();
    session->unused = false;
    receive(session);
    if (is_gone(session)) raise_gone(session);
    if (session->last_command != 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("background session takes no more commands")));
    if (request.nparams > PG_UINT16_MAX)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("too many parameters for a background session: %d", request.nparams)));
    // The worker has the text of a prepared statement.
    bool known = request.statement != 0 && (request.flags & kPrepare) == 0;
    const CommandMessage message = {
        session->last_sent + 1,   request.flags,  static_cast<uint32>(request.nparams),
        known ? "" : request.sql, request.params, request.statement};
    if (!request.cleanup) check_room(session);
    OwnCommand *own = add_command(session, request.sql, (request.flags & kStreaming) != 0);
    own->cleanup = request.cleanup;
    // What only the look-ups before it needed holds nothing back of what the command does.
    InvalidateCatalogSnapshotConditionally();
    ErrorData *error = pg::attempt([session, own, &message] {
        begin_contents(session, own);
        session->link->send(message);
    });
    if (error != nullptr) {
        session->last_sent--;
        drop_command(session, own);
        pg::rethrow(error);
    }
    take_early_notices(session, own);
    count(Counter::kCommands);
    trace_sent(session, own, (request.flags & kPrepare) != 0);
    flush(session);
    return own->id;
}

} // namespace

CommandId send(Session *session, const char *sql, int nparams, const Param *params,
               uint32 statement, bool quiet) {
    return send_request(session, {quiet ? kQuiet : 0, statement, sql, nparams, params});
}

CommandId send_cleanup(Session *session, const char *sql) {
    return send_request(session, {0, 0, sql, 0, nullptr, true});
}

CommandId send_streaming(Session *session, const char *sql, int nparams, const Param *params,
                         uint32 statement) {
    return send_request(session, {kStreaming, statement, sql, nparams, params});
}

CommandId prepare(Session *session, const char *sql, int nparams, const Param *params,
                  uint32 *statement) {
    *statement = ++session->last_statement;
    return send_request(session, {kPrepare, *statement, sql, nparams, params});
}

void release_statement(Session *session, uint32 statement) {
    if (is_gone(session)) return;
    session->link->forget_statement(statement);
    flush(session);
}

CommandId send_last(Session *session, const char *sql, bool quiet) {
    CommandId id = send_request(session, {quiet ? kLast | kQuiet : kLast, 0, sql, 0, nullptr});
    session->last_command = id;
    return id;
}

} // namespace pllua_bg::session
