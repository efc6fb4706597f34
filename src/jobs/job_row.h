// What a run reads of its job. Owns nothing: all memory is the caller's.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

struct JobRow {
    int64 id;
    int16 attempt;
    const char *sql;
    Jsonb *args; // nullptr: none
    const char *search_path;
    Jsonb *settings; // nullptr: none
    int timeout;     // milliseconds; 0: none
    bool keeps_done; // a success leaves a row in the history
};

// Call with an active snapshot. False when there is no such job, with that attempt, that is due.
// Errors: pg 42501 (it is of another role).
bool read_job(int64 id, int attempt, JobRow *row);
// Gives search_path and the settings of the job to set.
void apply_settings(const JobRow *row, void (*set)(const char *name, const char *value));

} // namespace pllua_bg::jobs
