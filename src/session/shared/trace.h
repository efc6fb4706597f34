// Notes of the commands that this backend sends to sessions. Whoever has begun a trace frees it;
// what is in it belongs to it.
#pragma once

#include "pg/server.h"

extern "C" {
#include "datatype/timestamp.h"
}

namespace pllua_bg::session {

struct Trace;
enum class TracedState : uint8 {
    kPending,
    kComplete,
    kFailed,
    kLeft, // its session was let go before its end was known
};
struct TracedCommand {
    uint64 session;     // its number
    int pid;            // of the worker; 0: not known
    Oid user;           // of the session
    const char *name;   // of the session
    const char *server; // where it was run, as bg.sessions shows it; empty: here
    const char *sql;    // as Command::sql
    const char *error;  // message, clipped; nullptr: none
    int sqlstate;       // 0: none
    int64 task;         // what set_traced_task() had been given
    TimestampTz sent;
    TimestampTz begun; // by the worker; 0: not known
    TimestampTz ended; // 0: pending
    TracedState state;
    bool prepares; // a statement, and does not run it
};
struct TracedCommands {
    const TracedCommand
        *first; // in the order in which they were sent; valid until the trace is freed
    uint32 count;
    uint64 dropped; // so many more were sent
    TimestampTz began;
};
// What is sent from now on is noted, up to so many commands. Errors: pg (memory).
Trace *begin_trace(uint32 most);
// From now on nothing is noted. Errors: none.
void end_trace(Trace *trace);
void free_trace(Trace *trace);
// Of an ended trace. Errors: none.
TracedCommands traced_commands(const Trace *trace);
// What is sent from now on is noted with this number, until no trace is active. Errors: none.
void set_traced_task(int64 number);

} // namespace pllua_bg::session
