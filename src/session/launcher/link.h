// What a session needs of whatever runs its commands; the rest of this folder's commands, results,
// waits and errors know no more of it. A worker on this machine is a LocalLink.
// Owns nothing.
#pragma once

#include "session/shared/message.h"

namespace pllua_bg::session {

// Why a link has come to its end.
struct Loss {
    const char *cause; // nullptr: not known
    bool expected;     // it was asked for, by a timeout
    bool idle = false; // it has begun no command of this use
};

// Errors: none, unless said otherwise. Whoever has something for the session sets the latch of
// this process.
struct Link {
    // Takes a command, to be sent by flush(). Errors: as write_command().
    virtual void send(const CommandMessage &command) = 0;
    // Takes the news that a prepared statement is not used any more. Errors: pg (memory).
    virtual void forget_statement(uint32 statement) = 0;
    // Sends what was taken as far as it goes; returns the bytes that are kept for later. Errors: pg
    // (memory, temporary file).
    virtual Size flush() = 0;

    // Looks for messages, of which next() then gives one after the other; *length gets the bytes
    // they have come in. Errors: pg (memory).
    virtual Received receive(Size *length) = 0;
    // False when there are no more. The message is valid until the next call of receive(). Errors:
    // pg XX000 (damaged).
    virtual bool next(Message *message) = 0;

    // Of the process that runs the commands; 0: not known yet.
    virtual int pid() = 0;
    // The command that runs, or else the one whose turn is next.
    virtual CommandId current() = 0;
    // Cancels a command, now or when its turn comes; false when it is done.
    virtual bool cancel(CommandId id) = 0;
    // The turn of a cancelled command has come: cancels it if that was forgotten.
    virtual void remind_of_cancel(CommandId id) = 0;
    // Ends what runs the commands, whatever it does; what it says in the end is still received.
    virtual void terminate() = 0;

    // Nothing is sent or received any more: `busy` commands are still to be done. Warns when they
    // will not be.
    virtual void let_go(bool busy) = 0;
    // The same, but what runs is cancelled, and the rest is not done.
    virtual void close() = 0;

    // After receive() has returned kGone.
    virtual Loss loss() = 0;
    // Frees what a lost link does not need to answer progress(). Returns the bytes.
    virtual Size drop() = 0;
    // What was reported last; false: nothing.
    virtual bool progress(Progress *) { return false; }
    // Frees all of it but the memory of the session.
    virtual void release() = 0;
};

} // namespace pllua_bg::session
