// What this floor calls upward through. Set in src/module.cpp.
#pragma once

namespace pllua_bg::session {

struct Executor;
struct FrameCursor;

struct Hooks {
    // Raises where the current user may not have sessions on a foreign server. Errors: pg 42704
    // (there is no such server, or no user mapping), 42501, 2F003, 0A000.
    void (*check_server)(const char *name);
    // Connects a worker to a foreign server, where the settings at the cursor are set: what then
    // runs its commands. Called outside of a transaction. nullptr: the launcher has closed the
    // session meanwhile. Errors: pg FATAL.
    Executor *(*connect_to_server)(const char *name, FrameCursor *settings);
};
extern Hooks hooks;

} // namespace pllua_bg::session
