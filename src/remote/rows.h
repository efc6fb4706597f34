// Rows of another server as rows of a session.
// Owns nothing: all memory is that of a command.
#pragma once

#include "pg/server.h"
#include "remote/client.h"
#include "remote/quick.h"

namespace pllua_bg::remote {

// The rows of one statement, while they come.
struct Rows {
    bool begun; // the columns were announced
    TupleDesc descriptor;
    Reader *readers; // nullptr: there is none for the column
    FmgrInfo *inputs;
    Oid *io_params;
    const char **texts; // of a row
    int *lengths;
    Datum *values;
    bool *nulls;
    MemoryContext scratch; // reset after each row
};

// True for a type that has the same name, the same values and the same text form on every server.
// Errors: pg (catalog access).
bool is_everywhere(Oid type);
// Values are read as the settings of the server write them, which its user may change. Call before
// each command. Errors: pg (a setting that is none here).
void follow_settings();
// Sends what a result has of a statement; the first announces the columns. Errors: pg (22021 and
// what the input functions raise; as send_row()).
void send_rows(Rows *rows, Result *result);

} // namespace pllua_bg::remote
