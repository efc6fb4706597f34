// From the values a Lua function returns or yields to the result its SQL declaration promises.
// Owns nothing; a Result lives in the memory context of its call site.
#pragma once

#include "pg/server.h"
#include "types/types.h"

namespace pllua_bg::pl {

enum class ResultKind {
    kVoid,
    kScalar, // one value
    kRow,    // columns known: composite types, OUT parameters, a column definition list
    kRecord, // columns unknown: whatever the function returns
    kState,  // type internal: the state of an aggregate
};

// Which tables that a set function returns are lists of its rows (returned_list.h).
enum class ListRule { kNever, kEmpty, kAlways };

struct Result {
    ResultKind kind;
    bool constructed;   // the values are those of a constructor, as pgtype.x(...) takes them
    bool is_domain;     // over a row type
    bool by_position;   // the names of the columns are the caller's, not the function's
    ListRule list_rule; // of sets; set by whoever calls a function that returns one
    bool plain;         // kScalar of a plain type
    Oid type_oid;
    const types::Type *type;     // kScalar and kRecord
    TupleDesc descriptor;        // kRow
    const types::Type **columns; // kRow; one for each attribute, null where it was dropped
    int ncolumns;                // kRow; without dropped ones
    void *domain_state;
    MemoryContext memory;
};

// Finds out what a call has to return. Allocates in `memory`, where the result stays.
// Errors: pg (0A000).
void resolve_result(FunctionCallInfo fcinfo, Result *result, MemoryContext memory);

// Converts the `count` values from index `first` on. The datum is in CurrentMemoryContext. No value
// is NULL; one value may be a row as a table; otherwise a row takes as many values as it has
// columns. Errors: lua (42804 and the types').
Datum take_result(lua_State *L, int first, int count, Result *result, bool *isnull);

// The same for a plain result that needs no conversion; false where take_result() has to say.
// Errors: none.
inline bool take_plain_result(lua_State *L, int first, int count, const Result *result,
                              Datum *value, bool *isnull) {
    *isnull = false;
    if (count != 1) return false;
    if (types::take_plain(L, first, result->type, value)) return true;
    *isnull = lua_isnil(L, first);
    *value = 0;
    return *isnull;
}

// The columns of a kRow result from as many values; `values` and `nulls` have room for all
// attributes. Errors: lua.
void take_columns(lua_State *L, int first, int count, const Result *result, Datum *values,
                  bool *nulls);
// True when the values are to be taken as columns, not as one row. Where columns count by position,
// a row is spread for that: its columns are pushed, and *first and *count changed. Errors: lua.
bool are_columns(lua_State *L, int *first, int *count, const Result *result);

} // namespace pllua_bg::pl
