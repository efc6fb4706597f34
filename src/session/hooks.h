// What this floor calls upward through. Set in src/module.cpp.
#pragma once

namespace pllua_bg::session {

struct Executor;
struct FrameCursor;
struct ServerSecret;

struct Hooks {
    // Raises where the current user may not have sessions on a foreign server, or by connection
    // strings; gives what the worker needs of this process. Errors: pg 42704 (there is no such
    // server, or no user mapping), 42501, 2F003, 0A000.
    void (*check_server)(const char *server, ServerSecret *secret);
    // Connects a worker to a foreign server, or by a connection string; both arguments are
    // overwritten. There the settings at the cursor are set. Returns what then runs its commands.
    // Called outside of a transaction. nullptr: the launcher has closed the session meanwhile.
    // Errors: pg FATAL.
    Executor *(*connect_to_server)(char *server, ServerSecret *secret, FrameCursor *settings);
};
extern Hooks hooks;

} // namespace pllua_bg::session
