// What runs the commands of a session in its worker: this server (local_executor.cpp), or what the
// worker is connected to (src/remote). The loop receives and reports; all that it needs of whoever
// does the work is here, and what that needs to send what comes of it.
// Owns nothing.
#pragma once

#include "session/shared/message.h"

namespace pllua_bg::session {

struct Executor {
    // Runs one command to its end, errors included as exceptions. Errors: pg.
    virtual void execute(const CommandMessage *command) = 0;
    // A prepared statement is not used any more. Errors: pg.
    virtual void forget_statement(uint32 statement) = 0;
    // 'I', 'T' or 'E', of the session. Errors: none.
    virtual char transaction_state() = 0;
    // Sleeps until the latch is set, something else has come, or so many milliseconds are over
    // (negative: no limit); false when nothing but time has passed. Errors: pg.
    virtual bool sleep(long timeout) = 0;
    // An error has ended a command, the transaction of this process is rolled back: makes all ready
    // for the next. Errors: pg FATAL.
    virtual void recover() = 0;
    // Between two uses of the session: forgets what the one has left elsewhere; takes over what is
    // at the cursor for the other. Outside a transaction. Errors: pg; the worker then ends.
    virtual void forget_use() = 0;
    virtual void begin_use(FrameCursor *cursor) = 0;
    // What does the work has gone while the session rests; nothing can be run any more. Errors:
    // none.
    virtual bool is_gone() = 0;
};

extern Executor *executor; // at first this server

// The command that comes first after the present one and those that were passed: false where none
// has come, it is cancelled, or something else is first. It stays in line; it is in
// CurrentMemoryContext. Errors: pg (memory).
bool look_ahead(CommandMessage *command);
// The one that was found is begun already: the next look is for what comes after it. Errors: none.
void pass_ahead();

// The name of the session; an empty one where it has none. Errors: none.
const char *session_name();
// True while the launcher has not asked the worker to end. Errors: none.
bool is_wanted();
// The session is in the pool. Errors: none.
bool is_resting();
// What is shown of the session from now on: that it runs a command. Errors: pg.
void show_command(const CommandMessage *command, const char *sql);

// Announces rows. The descriptors are of what the statement returns and of what is sent; as text
// are columns whose type means nothing to the launcher, changed those whose type this transaction
// has changed. `names`, or nullptr: the qualified names of those of types that are known by name
// only, nullptr for the others. Errors: as begin_frame.
void send_columns(TupleDesc source, TupleDesc sent, const bool *as_text, const bool *changed,
                  const char *const *names = nullptr);
// Sends a row; where the launcher reads it while it comes, waits for room. Errors: as begin_frame;
// pg 53400 (pllua_bg.max_result_size).
void send_row(TupleDesc descriptor, Datum *values, bool *nulls);
// Ends a statement's output. Errors: as begin_frame.
void send_tag(const char *tag, uint64 processed);
// COPY TO STDOUT as rows of one column: text lines without their ends, or bytea when the format is
// binary. Errors: as begin_frame; pg 22021 for lines that are no text in the database encoding.
void begin_copy_rows(bool binary);
void put_copy_row(const char *data, Size length);
// Sends what has been written so far: always, or only when rows are read while they come. Errors:
// pg.
void send_now();
void send_early();

} // namespace pllua_bg::session
