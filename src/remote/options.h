// How to reach another server: what the options of a foreign server and the user mapping of the
// current user say, or a connection string, and what they may say.
// Owns nothing: all memory is the caller's.
#pragma once

#include "pg/server.h"
#include "remote/client.h"
#include "session/shared/message.h"

namespace pllua_bg::remote {

struct Options {
    const char *name; // of the server, for messages
    int count;
    const char **keywords; // end with nullptr
    const char **values;
    int timeout;         // of connecting, in seconds; libpq has it for each host
    int most;            // for all of it, the search for addresses too
    bool needs_password; // the server must have asked for it
};

// What connections are called on the other server: for a session of this name, or of none ("");
// they all begin so. Errors: pg (memory).
inline constexpr char kTitle[] = "pllua_bg";
const char *title_of(const char *session);
// What libpq is to be told; of a connection string valid until Client::forget_parsed(). Call in a
// transaction. Errors: pg 42704 (no such server, no user mapping), 42501, 2F003 (a password is
// required), 0A000 (the options of its wrapper are not those of libpq), 22023 (of a connection
// string).
Options read_options(Client *client, const char *server, const char *session,
                     const session::ServerSecret &secret);
// Overwrites the keys among them. Errors: none.
void forget_keys(const Options &options);

} // namespace pllua_bg::remote
