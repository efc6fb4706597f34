// Conversion between Datum and Lua values: one compiled plan per type, built once and kept for the
// backend's life. Owns the plans (a context below CacheMemoryContext) and, per Lua state, the
// metatables of datum and row objects.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::types {

struct Type; // the plan of one (type, typmod); never freed, replaced by a new one when the type
             // changes

// The plan of a type. Errors: pg (42704 unknown type). Call inside pg::call.
const Type *lookup(Oid oid, int32 typmod);
Oid type_oid(const Type *type);
// The plan that converts values of the type without a transform. Errors: none.
const Type *untransformed(const Type *type);

// Pushes the Lua value of a datum: the very value every row, argument and parameter of this type
// has. May call the server (pg::call_own_subxact) itself, so call it outside pg::call. Errors: lua.
void push(lua_State *L, const Type *type, Datum value, bool isnull);

// The datum of the Lua value at idx, in CurrentMemoryContext when it is passed by reference. nil is
// NULL. Call outside pg::call. Errors: lua (22P02, 22003, 22021, 42804 as the server has them).
Datum to_datum(lua_State *L, int idx, const Type *type, bool *isnull);

// The datum that the constructor of the type (pgtype.x) makes of `count` values from `first` on:
// bounds of a range, elements of an array, a value and its options of json. Else as to_datum()
// does, of one value. Errors: lua (also 42601 for a wrong number of values).
Datum construct(lua_State *L, int first, int count, const Type *type, bool *isnull);
// Whether that takes other than one value, or takes one for a part.
bool is_constructed(const Type *type);

// The same for a parameter of a statement, of that type: objects of another type are converted as
// in an assignment (pg/params.h), and a cast may make NULL of them. Errors: lua.
Datum to_parameter(lua_State *L, int idx, const Type *type, bool *isnull);

// Plain types: their values are Lua booleans and numbers, and pushing one raises nothing and needs
// one free slot. take_plain() makes the datum of such a value at idx; false where to_datum() has to
// convert, or to refuse. Errors: none.
bool is_plain(const Type *type);
void push_plain(lua_State *L, const Type *type, Datum value, bool isnull);
bool take_plain(lua_State *L, int idx, const Type *type, Datum *value);

// The natural type of a Lua value for a parameter without a declared type: boolean -> bool, integer
// -> int8, float -> float8, string -> text, datum objects and rows of a named type -> their own
// type (*weak is false for these), other rows -> record, sequences -> an array of the elements'
// common type, other tables -> jsonb, the empty table -> text[]. nil -> unknown. Errors: lua (42804
// when there is none, as for functions).
Oid own_type(lua_State *L, int idx, bool *weak);

// Makes the row shape of a descriptor: pushes one Lua value (the metatable that all rows of the
// shape share, with interned column names). Rows are tables with this metatable: columns by name or
// number, through __index and __newindex, which converts; pairs() in column order with the
// attribute number as third value; tostring() as the record's text; row(opts) maps as in pllua.
// Errors: lua.
void push_shape(lua_State *L, TupleDesc descriptor);
// Pushes a row of the shape at shape_idx. Errors: lua.
void push_row(lua_State *L, int shape_idx, const Datum *values, const bool *nulls);
// The same, deforming the tuple first. Errors: lua.
void push_row_of_tuple(lua_State *L, int shape_idx, HeapTuple tuple);
void push_row_of_minimal(lua_State *L, int shape_idx, MinimalTuple tuple);
// Pushes the text form of a column (from 0, of those that are not dropped) of the row at row_idx;
// nil when it is NULL or there is none. False, and nothing pushed, when that is no row. Errors:
// lua.
bool push_column_text(lua_State *L, int row_idx, int column);
// A tuple of `descriptor` from the table (or row) at idx,
// fields by name (or by position for a plain sequence when by_position). nullptr for nil.
// In CurrentMemoryContext. Errors: lua (42703 unknown column).
HeapTuple to_tuple(lua_State *L, int idx, TupleDesc descriptor, bool by_position);
// The same as the values of the attributes; false for nil. `columns` are their plans, null where
// they were dropped; or null, when they are not known. Errors: lua.
bool take_row(lua_State *L, int idx, TupleDesc descriptor, const Type *const *columns,
              bool by_position, Datum *values, bool *nulls);

// Openers of the modules, to be called once for each new state (as by luaL_requiref): each pushes
// its table and returns 1. The tables go to the global `pgtype` and to package.loaded under the
// names below. Errors: lua.
int open_pgtype(lua_State *L);  // pllua.pgtype
int open_numeric(lua_State *L); // pllua.numeric
int open_jsonb(lua_State *L);   // pllua.jsonb
int open_time(lua_State *L);    // pllua.time (empty, as in pllua: the methods are on the values)

// Registers the invalidation callbacks. Called once from _PG_init.
void initialize();

} // namespace pllua_bg::types
