// Errors, notices and notifications of another server, raised again in the worker: its log has
// them, and the launcher gets them, as those of a worker's own. Owns nothing.
#include "pg/encoding.h"
#include "pg/guard.h"
#include "remote/state.h"

extern "C" {
#include "commands/async.h"
}

namespace pllua_bg::remote {

namespace {

// One that is malformed ends the session: what it belongs to may be half taken.
ErrorData *read(const Report &report) {
    ErrorData *found = nullptr;
    const auto take = [&found, &report] {
        found = session::read_report({report.fields, report.length});
    };
    ErrorData *error = pg::attempt(take);
    if (error != nullptr) lose(error->message);
    return found;
}

void raise_notice(const Report &report) {
    ErrorData *notice = read(report);
    // The last word of a server that closes the connection; it is the cause of the end.
    if (notice->elevel >= FATAL) lose(notice->message);
    if (notice->elevel > WARNING) notice->elevel = WARNING;
    if (notice->elevel == LOG) notice->elevel = NOTICE; // it is in the log there
    ThrowErrorData(notice);
}

} // namespace

ErrorData *read_error(Result *result) {
    const Report report = result->report();
    if (report.length > 0) {
        ErrorData *error = read(report);
        if (error->elevel >= FATAL) lose(error->message);
        error->elevel = ERROR;
        return error;
    }
    char sqlstate[6];
    auto *error = static_cast<ErrorData *>(palloc0(sizeof(ErrorData)));
    error->elevel = ERROR;
    error->assoc_context = CurrentMemoryContext;
    error->sqlerrcode = ERRCODE_CONNECTION_EXCEPTION;
    error->message = pstrdup(pg::valid_text(state.connection->failure(sqlstate)));
    return error;
}

void take_news() {
    Report report;
    while (state.connection->next_notice(&report)) raise_notice(report);
    Notification notification;
    while (state.connection->next_notification(&notification))
        NotifyMyFrontEnd(pg::valid_text(notification.channel), pg::valid_text(notification.payload),
                         notification.pid);
}

void name_server(void *) { errcontext("remote server \"%s\"", state.name); }

} // namespace pllua_bg::remote
