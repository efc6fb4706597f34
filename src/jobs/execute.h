// Running the statements of a job. Owns nothing.
#pragma once

#include "jobs/first_row.h"
#include "pg/params.h"

namespace pllua_bg::jobs {

// Within SPI: the plan of one statement; `types`, as init_param_types() has made it, gets the types
// of the parameters. Errors: pg.
SPIPlanPtr prepare_job(const char *sql, pg::ParamTypes *types);
// Within SPI; each statement is analysed when those before it have run. Errors: pg: whatever they
// raise; 0A000 for what SPI cannot run.
void execute_job(const char *sql, Jsonb *args, FirstRow *first);

} // namespace pllua_bg::jobs
