// The launcher's side of sessions, as the files of this folder share it: what a session is, and
// what each file has for the others. Owns nothing.
#pragma once

#include "pg/list.h"
#include "session/launcher/link.h"
#include "session/launcher/local_link.h"
#include "session/session.h"

namespace pllua_bg::session {

enum class Failure : uint8 {
    kNone,
    kError, // one has come for it
    kLost,  // its link was lost before it was done
};

// A command with what only this folder knows.
struct OwnCommand : Command {
    OwnCommand *before; // in Session::commands
    OwnCommand *after;
    bool discarded; // nobody wants what comes
    bool cancelled; // to be cancelled when its turn comes
    bool cleanup;   // cancel() leaves it alone
    bool streaming; // the worker waits until rows are taken
    Failure failure;
    StatementResult *open; // the statement whose tag has not come yet
    Size unread;           // bytes of rows received and not yet read, of a streaming command
    char *packed;          // the frames of the messages that have come, while `context` is nullptr
    uint32 packed_length;
    uint32 packed_capacity;
    Size held;     // bytes counted for it
    uint64 traced; // its number in the traces that were active when it was sent; 0: there was none
};

enum class Life : uint8 {
    kStarting, // the worker has not reported ready
    kRunning,
    kEnded,
    kNeverRan, // ended before it was ready, and not by us
};

struct Notifications {
    pg::LinkedList<Notification> list;
    int count;
    bool dropping; // some have been dropped since the last time there were none
    bool listener; // what comes is counted
};

struct Session {
    Session *before; // in sessions
    Session *after;
    uint64 number;
    Oid user;
    Oid database;          // it is in
    MemoryContext context; // owns everything here
    Link *link;            // what runs the commands
    LocalLink *local;      // the same, when it is a worker of this server; else nullptr
    NameData name;
    NameData server; // where its commands are run, as others may see it; empty: here
    OnExit on_exit;
    int64 cookie;
    TimestampTz launched_at;
    int pid; // 0: not known yet
    Life life;
    bool ended_here; // terminate() was called
    bool unused;    // launched in this transaction; nothing was sent to it and nobody knows its pid
    bool told;      // somebody was told its pid
    bool forgotten; // its handle was collected, and nobody was told its pid
    bool receiving; // set while messages are taken; found set: an error tore it
    char transaction;
    CommandId last_sent;
    CommandId last_done;                 // newest command that is no longer pending
    CommandId last_command;              // sent by send_last(); 0: none was
    uint32 last_statement;               // newest number of a prepared statement
    pg::LinkedList<OwnCommand> commands; // not yet released, in order of their numbers
    OwnCommand *current;                 // the oldest that is pending
    ErrorData *fatal;                    // an error that has ended the worker
    char *last_error;
    const char *cause_of_death; // set when it is gone
    bool refused;               // what `fatal` says is why it may not be where it was to be
    char *note;
    Size note_length;
    Notifications notifications;
    pg::LinkedList<Notice> early_notices; // came while no command was pending; given to the next
    Size held;                            // bytes counted in pg::held, those of commands included
    Size held_unsent;                     // of that, for what the link has not sent
};

inline bool is_remote(const Session *session) { return NameStr(session->server)[0] != '\0'; }
inline bool is_gone(const Session *session) { return session->life >= Life::kEnded; }
// False when its worker never became ready and nobody here has ended it.
inline bool has_run(const Session *session) {
    return session->life == Life::kRunning || session->life == Life::kEnded || session->ended_here;
}

// sessions.cpp

// All sessions of this backend that were neither detached nor closed.
extern pg::LinkedList<Session> sessions;
extern int session_count;
// Some may be forgotten.
extern bool any_forgotten;
// A session of the current user, without a link yet. Errors: pg (memory).
Session *make_session();
// Gives a session what it has for one use: number, cookie, name, what becomes of it.
// Errors: pg (random numbers).
void begin_use(Session *session, const LaunchOptions &options);
// A session that was launched is one of this backend's. Errors: none.
void enter(Session *session);
// The number given last. Errors: none.
uint64 newest_number();
// Removes it from the list and frees it. Errors: none.
void forget(Session *session);
// Frees a session that is in no list, and its link. Errors: none.
void free_session(Session *session);
// The pid if it is known by now. Errors: none.
int known_pid(Session *session);
// Raises for a session that takes no command any more. Errors: pg 08003; 08006 it has not run.
[[noreturn]] void raise_gone(const Session *session);
// Writes to the server log, for DEBUG1, what becomes of a session. Errors: none.
void log_life(Session *session, const char *event, const char *cause = nullptr);

// status.cpp

// Receives of every session. Errors: as receive().
void receive_all();
// Sessions whose worker is not known to have ended. Errors: as receive().
int count_living();

// commands.cpp

// Counts bytes that the session holds, or has given back: negative. Errors: none.
void count_held(Session *session, ptrdiff_t bytes);
// The command a worker's message belongs to: the oldest that is pending; nullptr when there
// is none.
OwnCommand *current_command(Session *session);
OwnCommand *find_command(Session *session, CommandId id);
// Enters a new command. Errors: pg (memory).
OwnCommand *add_command(Session *session, const char *sql, bool streaming);
// What comes of it can be kept. Errors: pg (memory).
void begin_contents(Session *session, OwnCommand *own);
// It is sent: what came while no command was pending belongs to it. Errors: none.
void take_early_notices(Session *session, OwnCommand *own);
// Keeps a message that belongs to the command, unless it is discarded.
// Errors: pg (memory, temporary file).
void keep_message(Session *session, OwnCommand *own, const Message &message);
// An error that has come is none of the command. Errors: pg (memory).
void forget_error(Session *session, OwnCommand *own);
// The current command has ended: the next one is current; a discarded one is dropped.
void current_is_done(Session *session);
// Forgets one.
void drop_command(Session *session, OwnCommand *command);

// trace.cpp

// A command was sent, one that has a statement prepared: the traces there are note it. Errors:
// none.
void trace_sent(const Session *session, OwnCommand *own, bool prepares);
// An error has come for it, or was none of it (0, nullptr); it is done; those of the session that
// are pending will never be known to be: it is let go. Errors: none.
void trace_error(const OwnCommand *own, int sqlstate, const char *message);
void trace_done(const Session *session, const OwnCommand *own);
void trace_left(const Session *session);

// contents.cpp

// Makes of a message what it is a part of, in the command's context. Errors: as keep_message().
void take_contents(Session *session, OwnCommand *own, const Message &message);
// Makes the error of a command whose worker has died. Errors: pg (memory).
void take_death(const Session *session, OwnCommand *own);
// An error or a notice of the session's worker, in CurrentMemoryContext. Errors: pg (memory).
ErrorData *make_error(const Session *session, const ReportMessage &report);
Notice *make_notice(const Session *session, const ReportMessage &report);

// receive.cpp

// Sends what the link has taken, and counts what it keeps. Errors: as Link::flush().
void flush(Session *session);
// Takes one message of the worker. Errors: pg (memory, temporary file).
void dispatch(Session *session, const Message &message);
// Nothing more is taken of what has come for the pending command: there is no memory for it.
// Errors: none.
bool is_full(const Session *session);

// loss.cpp

// The link is lost: ends every pending command with 08006. Errors: pg (memory).
void session_is_gone(Session *session, const Loss &loss);

// notifications.cpp

// Keeps a notification; the oldest make room. Errors: pg (memory).
void take_notification(Session *session, const NotificationMessage &message);
// Gives out the oldest of those that have come; nullptr when there is none. Errors: none.
Notification *first_notification(Session *session);
// Frees those that nobody has taken. Errors: none.
void drop_notifications(Session *session);

// may_launch.cpp

// The checks every launch makes: right to use schema bg, role, security context. Errors: pg.
void check_may_launch();
// Raises 42501 within a security-restricted operation: a session is not bound to it, what it is
// sent would run outside of it. Errors: pg.
void check_not_restricted();

// other_database.cpp

// The database the session is to be in. Errors: none.
Oid database_of(const LaunchOptions &options);
bool is_elsewhere(const LaunchOptions &options);
// Where that is another one, what can be said from here of whether it may be there; the worker asks
// the rest (worker/other_database.cpp). Errors: pg.
void check_database(const LaunchOptions &options);

// new_worker.cpp

// Creates a segment that lives until dsm_detach; where none is left, sessions of the pool make
// room. nullptr: there is none all the same. Errors: pg (memory, interrupts).
dsm_segment *try_segment(Size size);
// The same. Errors: also pg 53000: there is none.
dsm_segment *create_segment(Size size);
// Registers a worker for a segment, waiting for a free slot so many seconds; `waited`: those that
// the caller has waited before. The handle is in TopMemoryContext, the caller's to free. Errors: pg
// 53000 with that message.
void await_slot(dsm_segment *segment, double seconds, double waited, const char *refusal,
                BackgroundWorkerHandle **handle);

// orphan_segments.cpp

// Pins a segment so that the worker finds it although we detach; the worker (or we, if it has
// already attached) unpins it. Takes *worker over unless it has attached: if it ends before that,
// we unpin. Errors: pg (memory).
void pin_for_worker(dsm_segment *segment, SegmentHeader *header, BackgroundWorkerHandle **worker);
// Gives back the segments of workers that have ended without attaching. Errors: none.
void collect_orphans();
// At the end of the process: waits until every such segment has found its worker; for a worker that
// has a process already, not for long. Errors: none.
void await_orphans();
void initialize_orphans();

// pool.cpp

// Sessions kept for another use, oldest first.
extern pg::LinkedList<Session> pool;
extern int pool_count;
// Puts a session that is idle and in no transaction into the pool instead of ending it: the
// worker forgets what was done in it and waits for another use.
// False when it cannot be kept. Errors: none.
bool keep_for_reuse(Session *session);
// A session of the pool for another use, with the settings in `setup`; nullptr when none fits. The
// caller enters it in `sessions`. Errors: pg (interrupts, memory).
Session *take_from_pool(const LaunchOptions &options, Size queue_size, StringInfo setup);
// A session whose worker rests already is kept for another use, if it can be; else it is ended.
// Errors: none.
void rest_in_pool(Session *session);
// Milliseconds for which its worker shall then wait. Errors: none.
int64 pool_lifetime(const Session *session);
void initialize_pool();

// draining.cpp

// Lets a session go: now, or, when its worker has yet to take the snapshot of this transaction, as
// soon as it has. Errors: none.
void let_go(Session *session);
// Lets those go whose worker has it by now, or all. Errors: as receive().
void let_drained_go(bool all);
bool is_any_draining();

// release.cpp

// As close(), and the worker ends, too. Errors: none.
void end_now(Session *session);
// What can be registered only in the backend itself: its exit callback, its hook. Errors: pg.
void initialize_at_first_use();
void initialize_release();

// discard.cpp

// Once in a process.
void initialize_discard();

// forgotten.cpp

// True when it is worth a launch that finds no room to look for garbage: there are sessions only a
// handle knows, new ones since the last time, or some time has passed. Errors: none.
bool may_have_forgotten();
void initialize_forgotten();

// deadlock.cpp

// Makes a cycle through the workers we wait for visible for a moment, at most `timeout` ms; false
// when they do not all wait for locks. Errors: pg (interrupts).
bool offer_deadlock_edge(const WaitFor *commands, int n, long timeout);

// launch.cpp

// Starts one for work after the commit, as the current user; it is in no list. The worker of a new
// one waits for the commit before it connects. Errors: as launch().
Session *launch_for_commit();

// committers.cpp (see also committers.h)

// Lets them finish what they have; that of a transaction that has not ended is forgotten.
// Errors: none.
void end_committers();
void initialize_committers();

// on_commit.cpp

void initialize_on_commit();

} // namespace pllua_bg::session
