// Statement parameters whose type the statement decides: parser hooks that infer it, and the
// conversion of the value. Owns nothing: all memory is the caller's. Used for local statements and
// in background sessions alike.
//
// A strong parameter keeps its type. A weak one takes the type its place asks for, as an untyped
// parameter of the extended protocol does. Where no place asks (`select $1`, `$1 is null`), it
// keeps its own type: the statement is then analysed a second time, with the types the first pass
// found and own types for the rest.
#pragma once

#include "pg/cast.h"
#include "pg/server.h"

extern "C" {
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "parser/parse_node.h"
}

namespace pllua_bg::pg {

// One parameter. A weak bytea stands for a string of unknown nature: bytes where a bytea is asked
// for, else text, which is then checked against the encoding of the database.
struct ParamValue {
    Oid type;
    bool weak;
    bool isnull;
    Datum value;
    bool table = false; // a Lua table: the value is what types::to_portable makes of it
};

// The state of an analysis; arrays of `count` elements.
struct ParamTypes {
    int count;
    const ParamValue *params; // what the caller has
    Oid *own;
    bool *weak;
    Oid *resolved;             // what the statement wants; UNKNOWNOID while undecided
    struct ParseState **place; // where the parameter was seen last
    bool again; // a parameter is undecided or was given text only for want of a better type
};

// Prepares the state for a first pass; allocates in CurrentMemoryContext,
// keeps `params`. Errors: pg (memory).
void init_param_types(ParamTypes *types, int count, const ParamValue *params);
// A ParserSetupHook; `types` is the ParamTypes *. Errors of the hooks: pg 42P02, 42P08.
void setup_param_hooks(struct ParseState *parse, void *types);
// To be called with the analysed queries of each pass: true when a second pass is needed, which the
// state is then ready for. Errors: pg (stack depth).
bool needs_second_pass(ParamTypes *types, List *queries);
// Analyses and rewrites a statement, in two passes when needed. Errors: pg.
List *analyze_with_params(RawStmt *statement, const char *sql, ParamTypes *types);

// The numeric of a float, which as a float is that float again: a whole one as that number (where
// 15 digits are enough, with no more), else its shortest text. Allocates in CurrentMemoryContext.
// Errors: pg (memory).
Datum numeric_of_float(double number);

// Why a value cannot be converted.
struct Refusal {
    const char *sqlstate;
    char message[768];
};
// Makes *value the value of a parameter as `type`. A weak one is a Lua value or an untyped literal:
// a number becomes any type of numbers, text as Lua writes it; a string what the type's input
// function makes of it; otherwise, and for a strong one, the assignment casts are tried, with the
// rights of the current user. Allocates in CurrentMemoryContext; the result may share memory with
// the value. False with a refusal when the value does not fit (42804, 22003), without a trace in
// the transaction. Errors: pg (42501, 22P02, 22021, and what a cast raises).
bool try_convert_param(const ParamValue *param, Oid type, TypedValue *value, Refusal *refusal);
// The same for the executor, as the type that bound->ptype says; sets all else.
// Errors: pg: a refusal, too.
void bind_param(const ParamValue *param, ParamExternData *bound);

// The values for the executor, converted to the resolved types. Errors: pg.
// nullptr when there are none.
ParamListInfo bind_params(const ParamTypes *types, const ParamValue *params);

} // namespace pllua_bg::pg
