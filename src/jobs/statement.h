// What a job runs, looked at when it is submitted: the text for 'schema.fn', and what cannot be a
// job at all. Owns nothing: all memory is the caller's.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

// A statement and its arguments as bg.job has them: numbered parameters, an array or nullptr.
struct Statement {
    const char *sql;
    Jsonb *args;
};

// Makes a call of the name of a function or procedure; arguments by name are numbered.
// Errors: pg 22023 (args are neither array nor object, or by name for a statement).
void resolve_statement(const char *sql, Jsonb *args, Statement *statement);
// Raises what would be raised at the first run whatever it finds: wrong syntax, objects that do not
// exist, arguments that do not fit (of a single statement that can be analysed); statements that no
// job can be (0A000), or none in a transaction (25001).
void check_statement(const Statement *statement, bool transaction);

} // namespace pllua_bg::jobs
