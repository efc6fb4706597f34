// The sessions that do work after commits, as the files that deal with them share them.
// Owns nothing.
#pragma once

#include "session/shared/segment.h"

namespace pllua_bg::session {

struct Session;

// Work that was sent and is not done.
struct SentGroup {
    Size bytes;           // in the queue
    dsm_segment *segment; // or in a segment of its own
};

// A session that does work after commits.
struct Committer {
    Committer *before;
    Committer *after;
    Session *session;
    CommandId undecided; // group of the present transaction; 0: it has none
    CommandId settled;   // newest group whose entry in `sent` is free
    Size bytes;          // in the queue
    int segments;
    char *setup; // the last that was sent, which the worker has; nullptr: none was
    Size setup_length;
    SentGroup sent[kMostGroups]; // each at its number modulo the size
};

// The work of one transaction for the current user (GroupMessage).
struct Work {
    const char *setup; // of its first commands
    Size setup_length;
    Size length;                                       // of its frames
    void (*write)(char *frames, const void *argument); // Errors: none
    const void *argument;
    bool imposes; // a setting on the user
};

// committers.cpp

// That of a role, for the present transaction; nullptr: there is none. Errors: none.
Committer *committer_of(Oid user);
// False while there are as many as a backend may have sessions: some of roles that were altered
// meanwhile still have work. Errors: none.
bool may_add_committer();
// A new one, in TopMemoryContext, is one of this backend's. Errors: none.
void add_committer(Committer *committer);
// It is ended and freed. Errors: none.
void end_committer(Committer *committer);
// Gives back what a group takes. Errors: none.
void free_group(Committer *committer, CommandId id);
// How the transaction has ended: kCommitted or kRolledBack. Errors: none.
void decide_work(uint32 outcome);

// send_work.cpp

// Sends work to a session of the current user: one that has work already, or one of the pool, or a
// new one. The worker waits for decide_work(). Errors: pg (interrupts, memory, 53000).
void send_work(const Work &work);
} // namespace pllua_bg::session
