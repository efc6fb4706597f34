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
    bool busy;               // something was sent, and its end has not come
    bool broken;             // the socket has said so; what came before is still to be read
    bool cancelling;         // what runs is being cancelled
    TimestampTz cancel_next; // when to try again
    int cancel_again;        // milliseconds from that until once more
    TimestampTz cancel_end;  // when that has failed
};

extern State state;

// link.cpp: waiting for the server, without being in anybody's way.

// Waits until what is done aside has ended; false: nobody wants the session any more. Errors: pg
// (termination).
bool await_aside();
// What was sent is on its way: results come. Errors: pg FATAL 08006 unless `sent`.
void begin(bool sent);
// The next result, which may be the end. A cancel is passed on to the server, whose answer is then
// a result, too. Errors: pg (termination; FATAL 08006; what a notice raises).
Result *await_result();
// The next line of a copy; false: there are no more. Errors: the same.
bool await_copy_line(const char **line, int *length);
// Rolls what runs to its end, be it by a cancel: nothing of it is wanted any more. Errors: pg
// FATAL.
void drain();
// Sleeps as Executor::sleep(). Errors: pg.
bool sleep(long timeout);
// The connection has gone. Errors: pg FATAL 08006, always.
[[noreturn]] void lose(const char *cause);
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

// executor.cpp
session::Executor *remote_executor();

} // namespace pllua_bg::remote
