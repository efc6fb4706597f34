// How to reach a foreign server: what its options and the user mapping of the current user say, and
// what they may say.
// Owns nothing: all memory is the caller's.
#pragma once

#include "pg/server.h"
#include "remote/client.h"

namespace pllua_bg::remote {

struct Options {
    int count;
    const char **keywords; // end with nullptr
    const char **values;
    int timeout;         // of connecting, in seconds
    bool needs_password; // the server must have asked for it
};

// What libpq is to be told. `title`: the name of the session, or an empty one. Call in a
// transaction. Errors: pg 42704 (no such server, no user mapping), 42501, 2F003 (a password is
// required), 0A000 (the options of its wrapper are not those of libpq).
Options read_options(Client *client, const char *server, const char *title);

} // namespace pllua_bg::remote
