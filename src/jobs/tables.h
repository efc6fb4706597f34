// The tables of jobs, which nobody has rights to: statements of ours that run as their owner.
// Owns the plans of these statements.
#pragma once

#include "pg/server.h"

namespace pllua_bg::jobs {

// A statement of ours: constant, with qualified names and operators, so that whatever search_path
// is in force it means the same. Prepared at its first use, and kept.
struct OwnStatement {
    const char *sql;
    int nparams;
    Oid types[26];
    SPIPlanPtr plan;
};

// Opens a table in schema bg. Errors: pg; 55000 without the extension.
Relation open_table(const char *name, LOCKMODE lock);

// Runs it as the owner of the tables; SPI is connected. The rows are in SPI_tuptable. Returns their
// number. Errors: pg; 55000 without the extension.
uint64 run_as_owner(OwnStatement *statement, Datum *values, const char *nulls);
// The same by what is committed now, whatever snapshot the transaction has; only to read. Errors:
// also 25000 (in parallel mode).
uint64 run_as_owner_now(OwnStatement *statement, Datum *values);
// The same as the current user, for what calls a function that is to run as him.
uint64 run_as_caller(OwnStatement *statement, Datum *values, const char *nulls);
// The value of a column of the first row of SPI_tuptable.
Datum first_value(int column, bool *isnull);

// Ids of roles and names in error messages: raises 42704 for a job that there is not.
[[noreturn]] void refuse_unknown_job(int64 id);
// Raises 42501 unless the current user has the rights of the owner of the job.
void check_member(Oid owner, int64 id);
// The owner of a job, living or ended. Errors: pg 42704 when there is none.
Oid owner_of_job(int64 id);

} // namespace pllua_bg::jobs
