// Statements of jobs that were analysed lately, so that a trigger that submits the same one for
// each row has it analysed once: plans that SPI keeps, which the server says are valid or not. Owns
// them.
#pragma once

#include "jobs/args.h"
#include "pg/params.h"

namespace pllua_bg::jobs {

// Sets types->count and types->resolved. False: it is not known, or what it was analysed with has
// changed. Errors: none.
bool find_known(const char *sql, const Args *args, pg::ParamTypes *types);
// Keeps the plan that was made of it. Errors: pg (memory).
void remember(const char *sql, const Args *args, const pg::ParamTypes *types, SPIPlanPtr plan);

} // namespace pllua_bg::jobs
