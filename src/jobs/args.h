// The arguments of a job, jsonb, as parameters of its statement. Owns nothing: all memory is the
// caller's.
#pragma once

#include "pg/params.h"
#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

struct Args {
    int count;
    JsonbValue *elements;
    pg::ParamValue *own; // for the analysis: weak, of the type that each is by itself
};

// Of an array; nullptr: none. Errors: pg (memory).
void read_args(Jsonb *array, Args *args);
// Element n, from 0, as a value of the type: JSON where the type is JSON, else what the type's
// input function makes of the text, or of the literal where it is an array or a row. Errors: pg:
// those of the input functions.
Datum arg_as(const Args *args, int n, Oid type, bool *isnull);
// The values for the executor, of the types that the analysis has found. nullptr: there are none.
ParamListInfo bind_args(const Args *args, const pg::ParamTypes *types);

// The text of a string of JSON.
char *string_of(const JsonbValue *value);
// A value as JSON, by itself.
Jsonb *jsonb_of(const JsonbValue *value);
// The value of JSON, nullptr: null, as the only element of an array.
Jsonb *in_array(Jsonb *json);

} // namespace pllua_bg::jobs
