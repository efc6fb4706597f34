// The profiler behind bg.profile: time and calls by line of Lua code and by text of SQL, of all
// interpreters of this backend. Owns the counts; costs a test of a flag while it does not run.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

extern "C" {
#include "executor/spi.h"
#include "portability/instr_time.h"
}

namespace pllua_bg::api {

// True while it runs.
extern bool is_profiling;

// Counts one execution of a command, or one fetch of its rows, that began at `start`.
// Errors: none.
void profile_command(const char *text, instr_time start);
// The same; the command is the plan's.
void profile_plan(SPIPlanPtr plan, instr_time start);

} // namespace pllua_bg::api
