// Describing a background worker of this library to the server. Owns nothing.
#pragma once

#include "pg/compat.h"

namespace pllua_bg::pg {

// Fills in a worker that connects to a database: its function, its type, this library; it is not
// restarted, its argument is 0, and this process is told of its start and end. What is left to the
// caller is its name, and what differs. Errors: pg F0000 (the path of the library is too long).
void describe_worker(BackgroundWorker *worker, const char *function, const char *type);

} // namespace pllua_bg::pg
