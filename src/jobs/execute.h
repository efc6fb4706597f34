// Running the statements of a job. Owns nothing.
#pragma once

#include "jobs/first_row.h"

namespace pllua_bg::jobs {

// Within SPI; each statement is analysed when those before it have run. Errors: pg: whatever they
// raise; 0A000 for what SPI cannot run.
void execute_job(const char *sql, Jsonb *args, FirstRow *first);

} // namespace pllua_bg::jobs
