// Arguments of SQL functions, read and checked. Owns nothing.
#pragma once

#include "pg/compat.h"
#include "pg/server.h"

namespace pllua_bg::sql {

// nullptr for a null.
inline char *text_argument(FunctionCallInfo fcinfo, int number) {
    return PG_ARGISNULL(number) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

// A number of seconds; -1 for a null. Errors: pg 22023.
inline double timeout_argument(FunctionCallInfo fcinfo, int number, const char *name) {
    if (PG_ARGISNULL(number)) return -1;
    const double seconds = PG_GETARG_FLOAT8(number);
    if (!(seconds >= 0))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must be a number of seconds of at least 0", name)));
    return seconds;
}

// Errors: pg 22004.
inline void require(FunctionCallInfo fcinfo, int number, const char *name) {
    if (PG_ARGISNULL(number))
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

} // namespace pllua_bg::sql
