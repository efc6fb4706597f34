// The first row that a statement returns, as JSON; the others are not kept. Owns nothing: all
// memory is the caller's.
#pragma once

#include "pg/server.h"

extern "C" {
#include "tcop/dest.h"
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

struct FirstRow {
    DestReceiver receiver; // has to be first
    MemoryContext context;
    TupleDesc descriptor; // nullptr: it returns no rows
    HeapTuple tuple;      // nullptr: none has come
};

// Keeps what comes in CurrentMemoryContext.
void init_first_row(FirstRow *row);
// The row, or the value where it has one column; nullptr where there is none, where it is NULL, and
// where it is too long or is no JSON: *note says why then. Errors: pg: cancel.
Jsonb *row_as_json(const FirstRow *row, const char **note);

} // namespace pllua_bg::jobs
