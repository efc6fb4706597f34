// Rows of the tables of jobs without a statement: what each job needs is found by its primary key,
// and ended, as the server does with rows of its catalogs. No right is asked for: who calls says
// whose rows these are. Owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/genam.h"
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

// The columns of bg.job, which are the first of those of bg.job_done; as in the script of the
// extension.
enum JobColumn : AttrNumber {
    kId = 1,
    kQueue,
    kPriority,
    kRunAt,
    kAttempt,
    kCrashes,
    kSnoozed,
    kOwner,
    kOwnerName,
    kKey,
    kKeyMode,
    kLimitKey,
    kLimitN,
    kEvery,
    kTimezone,
    kHasParents,
    kSql,
    kArgs,
    kOptions,
    kSearchPath,
    kErrors,
    kSubmittedAt,
};
enum DoneColumn : AttrNumber {
    kSlot = kSubmittedAt + 1,
    kState,
    kStartedAt,
    kEndedAt,
    kPid,
    kResult,
    kNote,
    kError,
    kSupersededBy,
};
inline constexpr AttrNumber kStateSlot = 3; // of bg.job_state
inline constexpr AttrNumber kQueueKeep = 4; // of bg.job_queue

// A row by the first column of its table, which is the primary key; the table is open.
struct Row {
    Relation table;
    SysScanDesc scan;
    HeapTuple tuple; // nullptr: there is none
};
// In schema bg, as the active snapshot shows it; `equal`: the function that compares keys.
// Errors: pg; 55000 without the extension.
Row find_row(const char *table, RegProcedure equal, Datum key, LOCKMODE lock);
Datum column_of(const Row *row, AttrNumber column, bool *isnull);
void close_row(Row *row);

// What is kept of a job that has ended, or of a run.
struct Outcome {
    TimestampTz started_at;
    Jsonb *result;
    const char *note;
    char state;
};
// Ends the row of a job, unless `stays`, and puts what has become of it, if that is said, into the
// history. False when there is no such job, with that attempt, any more: all is to be rolled back
// then. Errors: pg.
bool end_row(int64 id, int16 attempt, bool stays, const Outcome *outcome);

} // namespace pllua_bg::jobs
