// Background sessions as the launching backend sees them: start one, send it commands, receive what
// comes back. Owns the sessions of this backend, each in a memory context of its own below
// TopMemoryContext. Knows no Lua; every function here is ordinary server code and may ereport
// unless its contract says otherwise.
#pragma once

#include "pg/list.h"
#include "pg/params.h"
#include "pg/server.h"

namespace pllua_bg::session {

using CommandId = uint64; // numbered from 1 within a session, in the order of sending

enum class State { kStarting, kIdle, kBusy, kGone };
enum class OnExit { kFinish, kCancel };

struct LaunchOptions {
    // Shown in application_name and bg.sessions; at most NAMEDATALEN - 1 bytes.
    const char *name = nullptr;
    Size queue_size = 0; // bytes; 0: setting pllua_bg.queue_size
    double wait = -1;    // seconds to wait for a free worker slot; negative: setting
    // Who waits a moment at a time: how many seconds he has waited before, for his turn; and that
    // he asks again, so that launch() returns nullptr, and counts nothing, where there is no room
    // yet.
    double waited = 0;
    bool asks_again = false;
    int idle_timeout = 0; // milliseconds; 0: none
    // What becomes of sent commands when the launching backend ends.
    OnExit on_exit = OnExit::kFinish;
    // The session begins in a REPEATABLE READ transaction that sees what the active snapshot sees,
    // but nothing of this transaction.
    bool snapshot = false;
    // As whom it runs; InvalidOid: as the current user. Settings of this backend do not follow: it
    // has those of a connection of that role. Who may ask for it the caller knows.
    Oid user = InvalidOid;
    // Another database of the cluster that it is in (find_database()); InvalidOid: this one.
    Oid database = InvalidOid;
    // The foreign server where its commands are run, instead of here, or a connection string of
    // libpq; nullptr: here.
    const char *server = nullptr;
    bool for_commit = false; // it works after the commit, for nobody who has it
    int nsettings = 0;       // settings for the worker, over those it inherits
    const char *const *setting_names = nullptr;
    const char *const *setting_values = nullptr;
};

struct Session; // opaque; valid until forget() or close(), or until the backend ends

// Raises where the current user may not have sessions, here and now, whatever launches them.
// Errors: pg 42501 (no USAGE on schema bg; security-restricted operation), 25000-class in parallel
// mode, 28000 (the role may not log in), 0A000 (single-user mode).
void check_may_use();

// The database of this name. Errors: pg 3D000 (there is none), 42622 (too long for a name).
Oid find_database(const char *name);

// True when this is a connection string: no name of a foreign server that has '=' or "://" can be
// given. Errors: none.
bool is_connection_string(const char *server);

// Starts a session as the current effective user and returns at once,
// without waiting for the worker to start; nullptr: see LaunchOptions::asks_again. Errors: pg 42501
// (no USAGE on schema bg; security-restricted operation), 25000-class in parallel mode, 53000 (no
// slot within `wait`), 53400 (pllua_bg.max_sessions), 22023 (bad option); of another database
// 3D000, 42501, 53300, 55000, 0A000 (launcher/other_database.cpp).
Session *launch(const LaunchOptions &options);
// The same for who wants nothing but the pid: waits for it. Fails without leaving a session.
// Errors: pg; as launch() and pid().
int launch_for_pid(const LaunchOptions &options);

// The session of this backend whose worker has this pid; nullptr when there is none. Waits for the
// pid of sessions that are still starting. Errors: pg (interrupts).
Session *find(int pid);
// True when the worker of a session of this backend is known to have this pid. Errors: none.
bool is_own_worker(int pid);
// The session whose number (see number()) this is; nullptr when it is gone. Handles in Lua keep the
// number, never the pointer.
Session *by_number(uint64 number);
uint64 number(const Session *session);
// A handle with this number was collected. When nobody was told the pid of the session, it is
// marked to be let go soon; true when somebody was, who may want what the handle knows. Errors:
// none; enters nothing of the server, for finalizers.
bool forget_handle(uint64 number);
// Lets go of those marked. For who is about to look for sessions and has none in hand that a handle
// does not hold. Errors: none.
void let_forgotten_go();
// Somebody sees the pid, and may come back with it. Errors: none.
void tell(Session *session);
// True when DISCARD ALL may have ended the session that had this number: it is no newer than that.
// Errors: none.
bool may_be_discarded(uint64 number);
// Calls visit for each session of this backend. Errors: those of visit.
void for_each(void (*visit)(Session *session, void *argument), void *argument);

// Whether it is in another database. Errors: none.
bool is_elsewhere(const Session *session);
// Raises 42501 unless the current user is a member of the session's user.
void check_owner(const Session *session);

// One parameter {type, weak, isnull, value}. A weak one takes the type the statement infers for it;
// a strong one keeps its own.
using Param = pg::ParamValue;

// Sends a command and returns its number at once; never waits for the worker: what does not fit in
// the queue is kept here and sent by later calls. Errors: pg 08003 when the session has ended,
// 42501 within a security-restricted operation, 22023 (more than 65535 parameters), 54000 (too
// long). With the number of a prepared statement it runs that, and `sql` is its text. quiet: the
// worker throws the rows away, only tags, messages and errors come back.
CommandId send(Session *session, const char *sql, int nparams, const Param *params,
               uint32 statement = 0, bool quiet = false);

// As send(), for a command that cleans up after others: cancel() leaves it alone,
// and it may be sent anywhere.
CommandId send_cleanup(Session *session, const char *sql);

// As send(), for rows that are read while they come (open_reader on a pending statement,
// WaitFor::rows): the worker waits when the launcher is slow, with its transaction open; both sides
// use constant memory. For the last statement of a command only one reader may exist; what it has
// read is released.
CommandId send_streaming(Session *session, const char *sql, int nparams, const Param *params,
                         uint32 statement = 0);

// Sends a command that has a statement analysed and kept by the worker; *statement gets its number.
// The parameters give types only; a weak one takes the type the statement infers for it, its own
// where nothing is inferred. Errors: as send().
CommandId prepare(Session *session, const char *sql, int nparams, const Param *params,
                  uint32 *statement);
// Forgets a prepared statement, after the commands sent before. Errors: pg only for lack of memory.
void release_statement(Session *session, uint32 statement);

// Sends the last command of the session: the worker ends when it is done, and what is sent
// afterwards raises 55000. The result stays here until it is taken out. Errors: as send().
CommandId send_last(Session *session, const char *sql, bool quiet);

struct Column {
    NameData name;
    Oid type; // type of the statement's column; InvalidOid: one of another database
    int32 typmod;
    Oid collation;
    // Sent by its text form: the type is a record or not yet visible outside
    // the worker's transaction.
    bool as_text;
    // Of those, one whose type the worker's transaction has changed: its text may not be what the
    // launcher's definition of the type reads.
    bool changed;
    char *type_name; // as format_type_extended gives it; of another database with its schema
    // Of the row types in the type, as the worker has them (row_definition.h); length 0: none.
    const char *definitions;
    int32 definitions_length;
    struct RowDefinition *foreign; // for bg.result: where they are not those of here
};

// The type of a column: for one of another database that of the same name here; InvalidOid: there
// is none that the current user may see, or reading it runs constraints of domains. Errors: pg
// (catalog access).
Oid type_here(const Column &column);
// Reads a value of a column that came as text. Errors: pg, those of the input function, with a line
// of context that names the column.
Datum read_text(const Column &column, FmgrInfo *input, char *text, Oid io_param, int32 typmod);

// What one statement of a command returned.
struct StatementResult {
    Oid user;        // of the session
    const char *tag; // command tag, 'SELECT 5'
    bool has_rows;   // it returns rows, be it none
    int ncolumns;
    Column *columns;
    // What the tuples are formed with: text where Column::as_text; nullptr unless has_rows.
    TupleDesc descriptor;
    uint64 nrows;
    struct Spill *rows; // batches of MinimalTuples, in memory up to work_mem, then on disk
    struct OwnCommand *streaming; // its command, when rows are read while they come; or nullptr
    StatementResult *before;
    StatementResult *after;
};

struct Notice {
    ErrorData *data;
    Notice *before;
    Notice *after;
};

enum class CommandState { kPending, kComplete, kFailed };

struct Command {
    CommandId id;
    CommandState state;
    char *sql; // its first 120 bytes at least, clipped at a character
    // What follows is there once unpack() was called, and in a command that take_out() returned.
    // When kFailed; all fields as the worker raised them, context completed by 'background session,
    // pid N'; 08006 when the worker died, with the cause as detail.
    ErrorData *error;
    pg::LinkedList<StatementResult> statements; // in order; the last may lack its tag while pending
    pg::LinkedList<Notice> notices; // in order; messages of the worker while this command ran
    MemoryContext context;          // owns all of that; nullptr before unpack()
    bool untaken;                   // not yet fetched by result() or results()
    TimestampTz begun;              // by the worker's clock; 0: pending, or unknown because it died
    TimestampTz ended;              // 0: pending
};

// The command with this number; nullptr once released. Errors: none.
Command *command(Session *session, CommandId id);
// Makes what has come of a command, and what is still to come, what Command says. Errors:
// pg (memory).
void unpack(Session *session, Command *command);
// The newest (oldest) command nobody has fetched; nullptr when there is none. Errors: none.
Command *newest_untaken(Session *session);
Command *oldest_untaken(Session *session);
// The newest command that is not completed; nullptr when there is none. Errors: none.
Command *newest_pending(Session *session);
// Marks as fetched.
void take(Session *session, Command *command);
// Forgets a command and all it holds; if it is still to come, what comes is thrown away.
// Errors: none.
void release(Session *session, CommandId id);
// Takes a settled command out of the session, which forgets it: its memory is now below
// CurrentMemoryContext and the caller's, to be freed with MemoryContextDelete(command->context) or
// with its parent. nullptr when there is none. Errors: pg (memory).
Command *take_out(Session *session, CommandId id);

// Sends what is kept and receives what is there, without waiting. Errors: pg only for lack
// of memory.
void receive(Session *session);

struct TupleReader;

// What else one can wait for than a command: whoever makes it true sets the latch of who waits.
struct Condition {
    bool (*is_true)(void *argument); // Errors: none
    void *argument;
};

struct WaitFor {
    Session *session; // nullptr: for the condition
    CommandId id;
    // Wait for the first row to read, too: the next of the reader, or without one the
    // first statement.
    bool rows;
    TupleReader *reader;
    const Condition *condition;
};
// The id that waits for no command but until a notification has come for the session, or none will
// come any more.
inline constexpr CommandId kAnyNotification = PG_UINT64_MAX;
// What a wait returns besides an index.
inline constexpr int kTimedOut = -1;
inline constexpr int kNews = -2;
// Waits until one of the commands is no longer pending; its index, or kTimedOut after `timeout`
// seconds (negative: no limit), or, with `seen`, kNews when notifications_arrived() is not *seen.
// Drains every session of the backend while it waits. Polls with sched_yield for at most 50 us,
// then sleeps on the latch. Errors: pg: interrupts; 53200 when what has come leaves no memory for
// the rest. A worker that waits for a lock of ours ends with 40P01 (deadlock), as its result.
int wait_any(const WaitFor *commands, int n, double timeout, const uint64 *seen = nullptr);

// Raises the notices of a command again in this session, with the context line, and forgets them.
void relay_notices(Session *session, Command *command);

// What arrived for LISTENs of the session, oldest first; nullptr when there is nothing. Receives
// first; the caller frees it with free_notification. Errors: pg (memory).
struct Notification {
    int pid; // of the process that notified
    char *channel;
    char *payload;
    Notification *before;
    Notification *after;
};
Notification *next_notification(Session *session);
// True when there is one, or there will be none because the session has ended. Errors: none.
bool has_notification(const Session *session);
// From now on what comes for the session counts in notifications_arrived(). Errors: none.
void set_listener(Session *session);
uint64 notifications_arrived();
void free_notification(Notification *notification);

// Reads the rows of a statement, from the first. The tuple is valid until the next call.
// Errors: pg (file access).
TupleReader *open_reader(StatementResult *statement, MemoryContext context);
// nullptr at the end, or while no more has come of a pending command.
MinimalTuple next_tuple(TupleReader *reader);
void close_reader(TupleReader *reader);
// The tuples that have come and were not read yet, or some of them, as one block in which each
// begins at a MAXALIGNed offset; they count as read. count is 0 at the end, or while no more
// has come.
struct TupleBatch {
    const char *tuples; // valid until the next call
    Size length;
    uint64 count;
};
TupleBatch next_batch(TupleReader *reader);

struct Status {
    int pid; // 0 while starting
    const char *name;
    State state;
    char transaction;  // 'I', 'T' or 'E' as the server's ready-for-query has it
    int queued;        // commands sent and not completed
    const char *sql;   // of the oldest command that is not completed; nullptr
    const char *error; // message of the last failure; nullptr
    Oid user;
    Oid database;       // it is in
    const char *server; // where its commands are run, as bg.sessions shows it; empty: here
};
const char *state_name(State state);
// Errors: none. Receives first.
Status status(Session *session);
// Waits for the start of the worker. Errors: pg 08006 when it failed to start, interrupts.
int pid(Session *session);

// Cancels the running statement, but not one of send_cleanup(). Errors: none
void cancel(Session *session);
// Cancels that command, now or when its turn comes; does nothing when it is done. Errors: none
void cancel_command(Session *session, CommandId id);
// Lets go: what was sent is finished by the worker, output is discarded, then the worker ends; of
// an idle session it waits in the pool (pool.cpp). Never waits.
void detach(Session *session);
// Ends now: cancels what runs, rolls back what is open; of an idle session the worker waits in the
// pool. Never waits. The handle is gone. Errors: none.
void close(Session *session);

// Ends the oldest sessions of the pool until no more than `most` are left. Errors: none.
void trim_pool(int most);
// Lets all sessions of this backend go, as at its end. Errors: none.
void end_all_sessions();

// A session that was launched in a transaction and not used (no command sent, its pid not asked
// for) ends when that transaction is rolled back. This exempts those there are: for a rollback that
// the code which has launched them asks for. Errors: none.
void keep_unused();

// Ends the worker as pg_terminate_backend does (SIGTERM, never more); what was pending fails with
// its FATAL message. The handle stays. Errors: none.
void terminate(Session *session);

// What tells a session from every other: pids are used again, cookies are not.
struct Identity {
    int64 cookie; // random
    TimestampTz launched_at;
    Oid user;
    Size queue_size;
};
// Errors: none.
Identity identity(const Session *session);
// The session of this backend with this pid and cookie, ended ones included; nullptr when there is
// none. Errors: none.
Session *find_exact(int pid, int64 cookie);
// True when a worker, by its launcher and the cookie of its segment, runs a session of this
// backend. Errors: none.
bool has_worker(int launcher_pid, uint64 cookie);

// Bytes that whoever launched the session keeps with it, for everybody who finds it. Replaces the
// former note. Errors: pg (memory).
void set_note(Session *session, const char *bytes, Size length);
// nullptr when there is none; valid until the next set_note(). Errors: none.
const char *note(const Session *session, Size *length);

inline constexpr int kProgressMessageSize = 256;
struct Progress {
    double done;
    double total;                       // NaN: not told
    char message[kProgressMessageSize]; // empty: none
};
// In a worker: lets others see how far it is; a message that is too long is clipped at a character.
// False when this process is not the worker of a session. Errors: pg 22023 (no finite number).
bool report_progress(double done, double total, const char *message);
// The newest report of the worker, also after its end; false when there was none. Errors: none.
bool read_progress(Session *session, Progress *progress);
// Shows other backends, as progress of the session, how far the work is that it is part of; what
// was told last is seen. Errors: none.
void show_work(Session *session, double done, double total, const char *message);

// Runs sql in a background session after the current transaction has committed, with all that was
// registered by the same role, in that order, each a transaction of its own; forgotten when it, or
// the subtransaction it was registered in, rolls back. PREPARE TRANSACTION is refused. Errors: as
// launch, at the call where possible, else before the commit.
void on_commit(const char *sql, int nparams, const Param *params);
// This transaction has committed, and all others know: its work begins. Errors: none.
void begin_committed_work();
// Takes note of such work that is done: its errors count. Errors: as receive().
void settle_committers();

// In a worker: the process that has launched the session it runs; 0 elsewhere. Errors: none.
int launcher_pid();
// In a worker: its name in bg.sessions and pg_stat_activity, until the next use of the session.
// Errors: none.
void set_title(const char *title);

// Called once from _PG_init: callbacks and hooks of this floor.
void initialize();

} // namespace pllua_bg::session
