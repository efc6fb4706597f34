// What a result of libpq says of an error or a notice, and what a refused connection says.
#pragma once

#include <libpq-fe.h>

#include "remote/client.h"

namespace pllua_bg::remote {

// The fields as the server has sent them, in memory of malloc(); none when they are of libpq, or
// there is no memory.
Report copy_report(const PGresult *result);
// Puts the message of a connection that was refused into `message`, without what only its form for
// programs has, and the SQLSTATE in it, or nothing, into `sqlstate`.
void read_refusal(const char *verbose, char *message, size_t size, char (&sqlstate)[6]);

} // namespace pllua_bg::remote
