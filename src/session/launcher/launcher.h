// The launcher's side of sessions, as the files of this folder share it.
// Owns the list of the sessions of this backend.
#pragma once

#include "session/session.h"
#include "session/shared/channel.h"
#include "session/shared/list.h"
#include "session/shared/message.h"
#include "session/shared/segment.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace pllua_bg::session {

// A command with what only this folder knows.
struct OwnCommand : Command {
    OwnCommand *before; // in Session::commands
    OwnCommand *after;
    bool discarded;  // nobody wants what comes
    bool cancelled;  // to be cancelled when its turn comes
    bool cleanup;    // cancel() leaves it alone
    bool streaming;  // the worker waits until rows are taken
    bool failed;     // an error has come for it
    bool lost;       // its worker has died before it was done
    Statement *open; // the statement whose tag has not come yet
    Size unread;     // bytes of rows received and not yet read, of a streaming command
    char *packed;    // the frames of the messages that have come, while `context` is nullptr
    uint32 packed_length;
    uint32 packed_capacity;
    Size held; // bytes counted for it
};

struct Session {
    Session *before; // in sessions
    Session *after;
    uint64 number;
    Oid user;
    MemoryContext context; // owns everything here but the segment
    dsm_segment *segment;  // nullptr once the worker is gone
    SegmentHeader *header;
    BackgroundWorkerHandle *worker;
    Channel channel;
    int pid; // 0: not known yet
    NameData name;
    OnExit on_exit;
    bool started;    // the worker has reported ready
    bool ended_here; // terminate() was called
    bool gone;
    bool spoilt;  // not to be used again: a cancel may still be under way, its role has changed
    bool pooled;  // in the list `pool`
    bool leaves;  // in the list `leaving`
    bool unused;  // launched in this transaction; nothing was sent to it and nobody knows its pid
    bool resting; // the worker has forgotten its last use
    bool imposed; // settings were imposed on this use of it or an earlier one
    bool waking;  // taken from the pool; the worker has not said yet that it has begun this use
    TimestampTz born;
    Size queue_size;
    uint32 user_hash;  // of the cache entry of its role
    Snapshot snapshot; // held for the worker to take; nullptr: none (snapshot.cpp)
    bool receiving;    // set while a batch is taken apart; found set: an error tore it
    char transaction;
    CommandId last_sent;
    CommandId last_done;        // newest command that is no longer pending
    uint32 last_statement;      // newest number of a prepared statement
    Chain<OwnCommand> commands; // not yet released, in order of their numbers
    OwnCommand *current;        // the oldest that is pending
    ErrorData *last_words;      // an error reported while no command was pending, or FATAL
    char *last_error;
    int64 cookie;
    TimestampTz launched_at;
    CommandId last_command; // sent by send_last(); 0: none was
    bool has_progress;      // progress was saved when the segment went
    Progress progress;
    char *note;
    Size note_length;
    Notification *notifications;
    Notification *last_notification;
    int notification_count;
    bool dropping;     // notifications have been dropped since the last time there were none
    Size held;         // bytes counted in pg::held, those of commands included
    Size held_backlog; // of that, for what the queue has not taken
    const char *cause_of_death; // set when it is gone
    bool listener;              // what comes is counted
    Notice *early_notices;      // came while no command was pending; given to the next
    Notice *last_early_notice;
};

// All sessions of this backend that were neither detached nor closed.
extern Chain<Session> sessions;
extern int session_count;
// Sessions kept for another use, oldest first.
extern Chain<Session> pool;
extern int pool_count;

// Let go before their worker has taken the snapshot of this transaction: they are kept until it
// has.
extern Chain<Session> leaving;
// Lets those go whose worker has it, or all. Errors: as pump().
void let_leaving_go(bool all);

// Puts a session that is idle and in no transaction into the pool instead of ending it: the worker
// forgets what was done in it and waits for another use. False when it cannot be kept. Errors:
// none.
bool keep_for_reuse(Session *session);
// A session of the pool for another use, with the settings in `setup`; nullptr when none fits. The
// caller enters it in `sessions`. Errors: pg (interrupts, memory).
Session *take_from_pool(const LaunchOptions &options, Size queue_size, StringInfo setup);
void initialize_pool();
// Gives a session what it has for one use: number, cookie, name, what becomes of it. Errors: pg
// (random numbers).
void begin_use(Session *session, const LaunchOptions &options);

// The command a worker's message belongs to: the oldest that is pending; nullptr when there is
// none.
OwnCommand *current_command(Session *session);
OwnCommand *find_command(Session *session, CommandId id);
// Enters a new command. Errors: pg (memory).
OwnCommand *add_command(Session *session, const char *sql, bool streaming);
// What comes of it can be kept. Errors: pg (memory).
void begin_contents(Session *session, OwnCommand *own);
// Keeps a message that belongs to the command, unless it is discarded. Errors: pg (memory,
// temporary file).
void keep_message(Session *session, OwnCommand *own, const Message &message);
// Makes of such a message what it is a part of, in the command's context. Errors: as
// keep_message().
void take_contents(Session *session, OwnCommand *own, const Message &message);
// Makes the error of a command whose worker has died. Errors: pg (memory).
void take_death(const Session *session, OwnCommand *own);
// An error that has come is none of the command. Errors: pg (memory).
void forget_error(Session *session, OwnCommand *own);
// Counts what the queue has not taken. Errors: none.
void count_backlog(Session *session);
// Counts bytes that the session holds, or has given back: negative. Errors: none.
void count_held(Session *session, ptrdiff_t bytes);
// Forgets one.
void drop_command(Session *session, OwnCommand *command);

// The current command has ended: the next one is current; a discarded one is dropped.
void current_is_done(Session *session);

// Nothing more is taken of what has come for the pending command: there is no memory for it.
// Errors: none.
bool is_full(const Session *session);

// Sessions whose worker is not known to have ended. Errors: as pump().
int count_living();
// Keeps what the worker has reported, before the segment goes. Errors: none.
void save_progress(Session *session);

// Ends every pending command with 08006 and gives the shared memory back. Errors: pg (memory).
void session_is_gone(Session *session);
// Removes it from the list and frees it. Errors: none.
void forget(Session *session);
// Frees a session that is in no list, and detaches from its segment. Errors: none.
void free_session(Session *session);
// The pid if it is known by now. Errors: none.
int known_pid(Session *session);
// False when its worker never became ready and nobody here has ended it. Errors: none.
bool has_run(const Session *session);
// Raises for a session that takes no command any more. Errors: pg 08003; 08006 it has not run.
[[noreturn]] void raise_gone(const Session *session);
// Sends the worker a signal, if it runs. Errors: none.
void signal_worker(Session *session, int signal);

// Keeps a notification; the oldest make room. Errors: pg (memory).
void take_notification(Session *session, const NotificationMessage &message);
// Frees those that nobody has taken. Errors: none.
void drop_notifications(Session *session);
// Takes a batch of messages apart. Errors: pg (memory, temporary file).
void take_batch(Session *session, const char *batch, Size length);

// Pumps every session. Errors: as pump().
void pump_all();

// Registers a worker for a segment, waiting for a free slot so many seconds. The handle is in
// TopMemoryContext, the caller's to free. Errors: pg 53000 with that message.
void await_slot(dsm_segment *segment, double seconds, const char *refusal,
                BackgroundWorkerHandle **handle);
// Creates a segment that lives until dsm_detach. Errors: pg 53000.
dsm_segment *create_segment(Size size);
// Writes to the server log, for DEBUG1, what becomes of a session. Errors: none.
void log_life(Session *session, const char *event, const char *cause = nullptr);
// The checks every launch makes: right to use schema bg, role, security context. Errors: pg.
void check_may_launch();
// Raises 42501 within a security-restricted operation: a session is not bound to it, what it is
// sent would run outside of it. Errors: pg.
void check_not_restricted();
// Pins a segment so that the worker finds it although we detach; the worker (or we, if it has
// already attached) unpins it. Takes *worker over unless it has attached: if it ends before that,
// we unpin. Errors: pg (memory).
void pin_for_worker(dsm_segment *segment, SegmentHeader *header, BackgroundWorkerHandle **worker);
// Gives back the segments of workers that have ended without attaching. Errors: none.
void sweep_unclaimed();
// At the end of the process: waits until every such segment has found its worker; for a worker that
// has a process already, not for long.
// Errors: none.
void await_claims();
void initialize_unclaimed();

// Makes a cycle through the workers we wait for visible for a moment, at most `timeout` ms; false
// when they do not all wait for locks. Errors: pg (interrupts).
bool offer_deadlock_edge(const WaitFor *commands, int n, long timeout);
void initialize_on_commit();
// What can be registered only in the backend itself: its exit callback. Errors: pg.
void initialize_at_first_use();

} // namespace pllua_bg::session
