// A worker that is connected to another server, as the files of this floor share it.
// Owns the state of the process.
#pragma once

#include "pg/server.h"
#include "remote/client.h"
#include "session/worker/executor.h"

namespace pllua_bg::remote {

struct State {
    Client *client;
    Connection *connection;
    char name[NAMEDATALEN];  // of the foreign server
    bool busy;               // the end of the present command has not come
    char transaction;        // while there is something in the pipeline: as Connection has it else
    bool to_fail;            // a command has failed here, in a transaction that goes on there
    bool met_cancel;         // a cancel for what is over may have met what is in the pipeline
    bool broken;             // the socket has said so; what came before is still to be read
    bool cancelling;         // what runs is being cancelled
    TimestampTz cancel_next; // when to try again
    int cancel_again;        // milliseconds from that until once more
    TimestampTz cancel_end;  // when that has failed
};

extern State state;

// link.cpp: waiting for the server, without being in anybody's way.

// Waits until what is done aside has ended, or it is `end`; false: nobody wants the session any
// more. Errors: pg (termination).
bool await_aside(TimestampTz end);
// What was sent is on its way: its results come, those of what was sent before are taken. Errors:
// pg FATAL 08006 unless `sent`.
void begin(bool sent);
// The next result, which may be the end. A cancel is passed on to the server, whose answer is then
// a result, too. Errors: pg (termination; FATAL 08006; what a notice raises).
Result *await_result();
// The same, where no copy can begin: the connection is lost where one does.
Result *await_plain_result();
// The next line of a copy; false: there are no more. Errors: the same.
bool await_copy_line(const char **line, int *length);
// Rolls what runs to its end, be it by a cancel: nothing of it is wanted any more. Errors: pg
// FATAL.
void drain();
// The same, as long as it takes.
void skip_answer();
// Sleeps as Executor::sleep(). Errors: pg.
bool sleep(long timeout);
// The connection has gone. Errors: pg FATAL 08006, always.
[[noreturn]] void lose(const char *cause);
// The same, for what the connection says of it.
[[noreturn]] void lose_connection();
// Closes the connection when the process ends. Errors: pg.
void close_at_exit();

// reports.cpp

// An error of the server, in CurrentMemoryContext. Errors: pg (memory).
ErrorData *read_error(Result *result);
// Raises what has come besides results again, here. Errors: pg.
void take_news();
// Adds a line of context to all that is raised while a command runs. Errors: none.
void name_server(void *);

// run.cpp

// Runs statements of ours, whose rows nobody wants. Errors: pg, those of the server.
void run_quietly(const char *sql);
// 'I', 'T' or 'E', of the session. Errors: none.
char transaction_state();
// A command has failed: so does the transaction it was in, be it that the server knows nothing of
// the error; of one in a pipeline as soon as that is empty. Errors: pg FATAL.
void fail_transaction();

// connect.cpp: what an Executor does between two uses of a session. Errors: pg, those of the
// server.

void forget_use();
void begin_use(session::FrameCursor *cursor);

// executor.cpp
session::Executor *remote_executor();

} // namespace pllua_bg::remote
