// Running the statements of a job. Owns nothing.
#pragma once

#include "jobs/first_row.h"
#include "pg/server.h"

namespace pllua_bg::jobs {

// Raises 0A000 for what SPI cannot run.
[[noreturn]] void refuse_in_transaction(int code);
// Within SPI; each statement is analysed when those before it have run. Errors: pg: whatever they
// raise; 0A000 for what SPI cannot run. `keeps`: a plan may be kept for the next job of the same
// statement, which has the same settings.
void execute_job(const char *sql, Jsonb *args, bool keeps, FirstRow *first);

} // namespace pllua_bg::jobs
