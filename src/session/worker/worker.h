// The worker's side of a session, as its files share it: one process runs one session.
// Owns the state of the worker process.
#pragma once

#include "session/shared/channel.h"
#include "session/shared/message.h"
#include "session/shared/segment.h"
#include "session/worker/executor.h"

extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "utils/plancache.h"
}

namespace pllua_bg::session {

// Of the uses of a session (reset.cpp).
enum class Phase : uint8 {
    kUsed,
    kChanging, // on its way into the pool or out of it: an error ends the worker
    kPooled,
};

// The work of one transaction after its commit, while it is done (group.cpp).
struct Group {
    CommandId id; // 0: none is done
    int64 lifetime;
    FrameCursor frames;   // what is left of it
    dsm_segment *segment; // they are in; nullptr: they are in the queue
    ReuseMessage setup;   // of the next commands
    int resets;           // tried
};

struct Worker {
    SegmentHeader *header;
    dsm_segment *segment; // nullptr after it was detached
    Channel channel;
    FrameCursor frames; // what is left of what was received
    Size passed;        // bytes of its commands that are begun already
    bool overflow_read;
    bool in_command;            // a transaction command is open (StartTransactionCommand)
    volatile CommandId running; // 0: none; read by signal handlers
    Phase phase;
    TimestampTz pool_end; // when a pooled worker ends
    TimestampTz begun;    // when the running command began
    Size result_size;     // bytes of rows of the running command
    CommandId last;       // after which the worker ends; 0: none has come
    Group group;
    ReuseMessage setup;  // of the last group, in TopMemoryContext
    bool silent;         // nobody wants what the server says
    ErrorData *deadlock; // found while idle in a transaction: what the next command reports
};

extern Worker worker;

// The name of the session, or one for those that have none; what application_name is at first.
// Errors: none.
const char *session_title();
// Gives the process a Port as a backend of a local client has it, without a socket. Call in a
// transaction, connected to the database. Errors: pg (memory).
void make_port();
// Takes the messages of the server for a client over into frames; where nobody takes frames they
// are dropped. Errors: none.
void install_output();
// Nobody takes frames any more: the segment goes away. Errors: none.
void remove_output();
// A DestReceiver that sends rows, for one statement; allocates in CurrentMemoryContext. Errors: pg.
DestReceiver *make_row_receiver();
// Ends a statement's output with its tag. Errors: as begin_frame.
void send_tag(const QueryCompletion *completion);

// Runs one command to its end, errors included as exceptions. Errors: pg.
void execute_command(const CommandMessage *command);
// Statements that were prepared, kept by their numbers until they are released or the use of the
// session ends (prepared.cpp).
CachedPlanSource *prepared_statement(uint32 number);
// Analyses a statement and keeps it under the command's number. Call inside a transaction.
// Errors: pg.
void keep_statement(const CommandMessage *command, RawStmt *statement);
// The plan for a run with the command's values, which go to *bound. Errors: pg 42601.
CachedPlan *plan_prepared(CachedPlanSource *source, const CommandMessage *command,
                          ParamListInfo *bound);
// Errors: none.
void forget_statement(uint32 number);
void forget_all_statements();

// Raises for the type of a parameter that does not exist here, or not as it was when the value was
// sent: the launcher's transaction may have made or changed it. Errors: pg 42704, 42804.
void check_param_types(const CommandMessage *command);
// Makes a snapshot the active one where the statement cannot be analysed without, or has
// parameters, whose conversion may need one. True when it did: pop it afterwards. Errors: pg.
bool push_snapshot_to_analyze(const CommandMessage *command, RawStmt *statement);
// Keeps the text of the values for errors where log_parameter_max_length_on_error wants it; the
// values. Call in a transaction. Errors: pg (output functions).
ParamListInfo keep_params_text(ParamListInfo params);
// Analyses and plans; *bound gets the values of the parameters. Errors: pg.
List *plan_statement(const CommandMessage *command, RawStmt *statement, ParamListInfo *bound);

// Closes the transaction command that is open, if any. Errors: pg.
void end_transaction_command();

// Takes the application name of the segment, and the settings at the cursor; the cursor then stands
// behind them. Call in a transaction. Errors: pg.
void take_over(FrameCursor *cursor);
// Takes over what the segment has for the start of the worker; connects to the server that is to
// run the commands. Call outside a transaction. False when the session is over. Errors: pg.
bool apply_setup();
// Where the database is another one than the launcher's: ends the worker unless its user may have
// sessions here. Call in a transaction. Errors: pg 3F000, 42501, as FATAL.
void check_invited();
// Whether some command wants that database for itself. Errors: pg (memory).
bool is_database_wanted();
// Begins a REPEATABLE READ transaction block with the launcher's snapshot if one is at the cursor,
// which then stands behind it. Call outside a transaction. Errors: pg 55000 (the launcher's
// transaction has ended).
void take_snapshot(FrameCursor *cursor);

// Begins the work of a transaction: waits until it has ended. Errors: pg.
void begin_group(const GroupMessage &message);
// Takes the settings for the next command, and nothing of what those before it have set; when it
// raises that command is not to be run. Errors: pg.
void take_group_setup();
// Rolls back what a command has left open. Errors: none.
void end_group_command();
void count_group_error(int sqlstate);
// All of it is done: forgets it and waits for other work, or another use. False when that is
// impossible. Errors: pg; then it is called again.
bool end_group();
// At the exit: what was not read is given back. Errors: none.
void leave_groups();

// Forgets all that DISCARD ALL forgets and more. Errors: pg.
void forget_use();
// Waits in the pool from now on, where the launcher may not know it yet. Errors: none.
void rest(int64 lifetime);
// Comes out of it to go on for the same launcher. Errors: none.
void wake_up();
// Ends a use: forgets it, says so,
// and waits in the pool. Errors: pg.
void reset(const ResetMessage &message);
// Begins another use. Errors: pg.
void reuse(const ReuseMessage &message);
// Leaves the pool for good; false when the launcher has just taken the session. Errors: none.
bool retire();

// The lock that is held while the worker starts or a command runs (shared/busy_lock.h). Errors: pg.
void take_busy_lock();
void release_busy_lock();
// Lets a launcher that waits for the lock have it for a moment. Errors: pg.
void yield_busy_lock();

// Messages as the launcher has sent them (inbox.cpp).
// The next one, of those that were received. Errors: pg XX000 (damaged message).
bool take_message(Frame *frame);
// Receives more; only when there is nothing left. False when there will be none any more. Errors:
// pg (memory).
bool receive_messages(bool *found);

// The loop: receives commands, runs them, survives their errors; returns when the session is over.
void run_loop();

} // namespace pllua_bg::session
