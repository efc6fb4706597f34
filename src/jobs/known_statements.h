// Statements of jobs that were prepared lately, kept by their texts: a trigger that submits the
// same one for each row has it analysed once, and a session that runs the same one again and again
// does not plan it anew. SPI keeps the plans, and the server says whether they are still right.
// Owns them.
#pragma once

#include "jobs/args.h"
#include "pg/params.h"

namespace pllua_bg::jobs {

struct Known {
    MemoryContext context; // of all that it has
    SPIPlanPtr plan;
    pg::ParamTypes types; // of its parameters
    bool kept;
    // If it is kept, what it goes with:
    const char *sql;
    const char *search_path;
    Oid user;
    bool row_security;
};

struct KnownStatements {
    Known *entries[64];
};

// Within SPI: one statement and its plan, in memory below the one given; the plan goes with SPI if
// it is not kept. Errors: pg.
Known *prepare_known(const char *sql, const Args *args, MemoryContext memory);
// True when it names a temporary table or view. Errors: pg (stack depth).
bool uses_temporary(const Known *known);
// Keeps it, unless it is very long; the one that had its place is no more. Where the server finds
// while it runs that it has to be analysed again the run ends with 40001: the types of the
// parameters may be others now. Errors: pg (memory).
void keep_known(KnownStatements *statements, Known *known, const char *sql);
// nullptr: it is not known, or what it was analysed with has changed. Errors: none.
Known *find_known(KnownStatements *statements, const char *sql, const Args *args);

} // namespace pllua_bg::jobs
