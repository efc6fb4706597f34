// Statements of jobs that were analysed lately, so that a trigger that submits the same one for
// each row has it analysed once. Owns their texts and types, in memory of this backend.
#pragma once

#include "jobs/args.h"
#include "pg/params.h"

namespace pllua_bg::jobs {

// Sets types->count and types->resolved. False: it is not known, or what it was analysed with may
// have changed. Errors: pg (memory).
bool find_known(const char *sql, bool transaction, const Args *args, pg::ParamTypes *types);
void remember(const char *sql, bool transaction, const Args *args, const pg::ParamTypes *types);

} // namespace pllua_bg::jobs
