// Sets of rows for the SQL functions of sessions.
// Owns nothing.
#pragma once

#include "session/session.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace pllua_bg::sql {

// Where the rows of a function call go.
struct Target {
    Tuplestorestate *store;
    TupleDesc descriptor;
};
// Prepares the result set of the call. Errors: pg 0A000 (the caller takes no set).
Target open_target(FunctionCallInfo fcinfo);

// Each fills the function call's result set. Errors: pg; return_result raises the command's own
// error, 42804 when the row type differs, 57014 on timeout, 42704 when there is no result.
void return_result(FunctionCallInfo fcinfo, session::Session *session, double timeout);
void return_notifications(FunctionCallInfo fcinfo, session::Session *session);

} // namespace pllua_bg::sql
