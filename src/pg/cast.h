// Values of one type made values of another, with the rights a statement would need for it: the
// only place that calls a cast. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// A value and its type.
struct TypedValue {
    Oid type;
    bool isnull;
    Datum value;
};

// Which casts may be used: those of an assignment, as in an insert, or all, as in CAST.
enum class CastContext { kAssignment, kExplicit };

// Makes the value one of `type` (with its modifier; -1: none), exactly as an expression of a
// statement would: the server's parser chooses the cast, its executor runs it for the current user.
// So rights on functions, elements of arrays, columns of rows, domains and lengths are what they
// are there. The result may share memory with the value, else it is in CurrentMemoryContext. False
// when there is no cast. Errors: pg (42501 the user may not execute the function; what it raises).
bool cast_value(TypedValue *value, Oid type, int32 typmod, CastContext context);

// Calls a function of one argument of any type with the value, as an expression of a statement
// would; its result, of `type`, takes the value's place. Errors: pg.
void call_function(Oid function, TypedValue *value, Oid type);

// Raises unless the current user may execute the function. For functions called without an
// expression. Errors: pg (42501).
void require_execute(Oid function);

} // namespace pllua_bg::pg
