// Waiting for another server: for results, for what comes while the session is idle, for a cancel
// to take effect. Only here the process sleeps on the socket; a termination ends it at any time.
// Owns the connection at the end of the process.
#include "remote/state.h"

#include <poll.h>
#include <unistd.h>

#include "pg/compat.h"
#include "pg/wait.h"
#include "remote/pipeline.h"

extern "C" {
#include "access/xact.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::remote {

State state;

namespace {

constexpr int kCancelSeconds = 10;
// One that comes before what it is for has begun has no effect: how long it is until the next, in
// milliseconds, at first and at most.
constexpr int kCancelAgain = 50;
constexpr int kMostAgain = 1000;
// How long the end of the process waits for a cancel, in milliseconds.
constexpr int kLastCancel = 2000;

// The first one is sent after so many milliseconds, if what runs has not ended before.
void begin_cancel(int pause) {
    if (state.cancelling) return;
    const TimestampTz now = GetCurrentTimestamp();
    state.cancelling = true;
    state.cancel_again = kCancelAgain;
    state.cancel_next = now + pause * INT64CONST(1000);
    state.cancel_end = now + kCancelSeconds * USECS_PER_SEC;
}

// Sends a cancel when it is time for one. Milliseconds until there is something to do about it; -1:
// there is nothing to cancel.
long serve_cancel() {
    if (!state.cancelling) return -1;
    if (pg::milliseconds_until(state.cancel_end) == 0) lose(_("it has not answered a cancel"));
    if (pg::milliseconds_until(state.cancel_next) == 0) {
        (void)state.connection->cancel(); // nothing, while one is on its way
        state.cancel_next = GetCurrentTimestamp() + state.cancel_again * INT64CONST(1000);
        state.cancel_again = Min(state.cancel_again * 2, kMostAgain);
    }
    return pg::milliseconds_until(Min(state.cancel_next, state.cancel_end));
}

// A cancel is for the server; all else is as ever.
void serve_interrupts() {
    if (QueryCancelPending) {
        QueryCancelPending = false;
        begin_cancel(0);
    }
    HOLD_CANCEL_INTERRUPTS();
    CHECK_FOR_INTERRUPTS();
    RESUME_CANCEL_INTERRUPTS();
}

// Reads what there is. A connection that has ended may have said why before: that is read yet.
void consume() {
    if (!state.connection->consume()) state.broken = true;
    take_news();
}

// One step on the way to the next result. A long command may still be on its way there.
void pump(int left) {
    serve_interrupts();
    session::send_early();
    if (IsTransactionState()) send_ahead();
    InvalidateCatalogSnapshotConditionally();
    const pg::SocketNews news = pg::wait_socket_only(state.connection->socket(), left == 1,
                                                     serve_cancel(), pg::WaitEvent::kRemote);
    if (news.socket) consume();
}

// The thread of a cancel has ended before anything else is sent: else it could hit that.
void end_cancel() {
    while (state.connection->is_busy_aside()) {
        serve_interrupts();
        const long rest = pg::milliseconds_until(state.cancel_end);
        if (rest == 0) lose(_("a cancel has not come to it"));
        (void)pg::wait_socket_only(state.connection->aside(), false, rest, pg::WaitEvent::kRemote);
    }
    state.cancelling = false;
}

// What runs there would go on, and nobody would read what comes of it.
void cancel_at_exit() {
    if ((!state.busy && !is_in_pipeline()) || state.broken) return;
    if (!state.connection->is_busy_aside() && !state.connection->cancel()) return;
    pollfd wanted = {state.connection->aside(), POLLIN, 0};
    (void)poll(&wanted, 1, kLastCancel);
}

void leave(int, Datum) {
    if (state.connection == nullptr) return;
    if (state.connection->is_connected()) cancel_at_exit();
    if (state.connection->is_busy_aside()) return;
    state.connection->close();
    state.connection = nullptr;
}

// The last callback. A thread that is in the middle of something must not meet the end of the
// libraries it uses.
void leave_thread(int code, Datum) {
    if (state.connection != nullptr && state.connection->is_busy_aside()) _exit(code);
}

} // namespace

bool await_aside(TimestampTz end) {
    while (state.connection->is_busy_aside()) {
        if (!session::is_wanted()) return false;
        const long rest = pg::milliseconds_until(end);
        if (rest == 0) break;
        HOLD_CANCEL_INTERRUPTS(); // there is no command yet that could be cancelled
        CHECK_FOR_INTERRUPTS();
        RESUME_CANCEL_INTERRUPTS();
        (void)pg::wait_socket_only(state.connection->aside(), false, rest, pg::WaitEvent::kRemote);
    }
    QueryCancelPending = false;
    return true;
}

void begin(bool sent) {
    if (!sent) lose_connection();
    state.busy = true;
}

Result *await_result() {
    serve_interrupts(); // also where there is always something to take
    for (;;) {
        const int left = state.broken ? 0 : state.connection->flush();
        if (left < 0) state.broken = true;
        if (state.broken || (left == 0 && !state.connection->is_waiting())) break;
        pump(left);
    }
    Result *result = state.connection->next();
    // Of what comes between rows consume() takes care.
    if (result->outcome() == Outcome::kSomeRows) return result;
    take_news();
    if (result->outcome() != Outcome::kNothing) return result;
    const bool cancelled = state.cancelling;
    end_cancel();
    state.busy = false;
    if (!state.connection->is_connected()) lose_connection();
    end_turn();
    if (cancelled && is_in_pipeline()) state.met_cancel = true;
    return result;
}

Result *await_plain_result() {
    Result *result = await_result();
    if (result->outcome() == Outcome::kCopyIn || result->outcome() == Outcome::kCopyOut)
        lose(_("it has begun a copy that nobody asked for"));
    return result;
}

bool await_copy_line(const char **line, int *length) {
    while (!state.connection->copy_line(line, length)) {
        if (state.broken) lose(_("in the middle of a copy"));
        pump(0);
    }
    return *length >= 0;
}

void drain() {
    if (!state.busy) return;
    // Of a pipeline it could meet the next, where this one is about to end.
    begin_cancel(is_in_pipeline() ? kCancelAgain : 0);
    skip_answer();
}

void skip_answer() {
    state.busy = true;
    const char *line;
    int length;
    for (;;) {
        Result *result = await_result();
        const Outcome outcome = result->outcome();
        if (outcome == Outcome::kNothing) return;
        if (outcome == Outcome::kCopyOut)
            while (await_copy_line(&line, &length)) {}
        if (outcome == Outcome::kCopyIn) (void)state.connection->refuse_copy("cancelled");
    }
}

bool sleep(long timeout) {
    const pg::SocketNews news =
        pg::wait_socket_only(state.connection->socket(), false, timeout, pg::WaitEvent::kCommand);
    if (news.socket) {
        consume();
        session::send_now();
    }
    if (state.broken && !session::is_resting()) lose_connection();
    return news.latch || news.socket;
}

void lose(const char *cause) {
    state.broken = true;
    ereport(FATAL, (errcode(ERRCODE_CONNECTION_FAILURE),
                    errmsg("connection to server \"%s\" was lost: %s", state.name, cause)));
    pg_unreachable();
}

void lose_connection() {
    char sqlstate[6];
    lose(state.connection->failure(sqlstate));
}

void close_at_exit() {
    on_proc_exit(leave_thread, 0);
    before_shmem_exit(leave, 0);
}

} // namespace pllua_bg::remote
