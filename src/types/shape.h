// Row shapes: the metatable that all rows of one descriptor share.
// Owns nothing; shapes belong to the collector.
#pragma once

#include "types/helpers.h"

namespace pllua_bg::types {

struct ShapeColumn {
    const Type *type; // null when dropped
    bool by_number;   // a later column has the same name, so rows keep this one under its number
};

// A userdata, kept in the metatable. Its user value i (from 1) is the key of column i in rows; the
// one after the last is the table from names to numbers.
struct Shape {
    TupleDesc descriptor; // a copy of its own, in the plan context
    uint64 identifier;    // the type cache's, 0 for anonymous ones
    int live;             // columns that are not dropped
    ptrdiff_t counted;    // bytes of the descriptor in the account of the interpreter
    ShapeColumn columns[FLEXIBLE_ARRAY_MEMBER];
};

// Pushes the userdata of the metatable at idx; null, and nothing pushed,
// when it is no shape. Errors: lua 55000 (a finalizer of Lua code uses what is garbage with it).
Shape *push_shape_data(lua_State *L, int metatable_idx);
// The same for the row at idx.
Shape *push_shape_of_row(lua_State *L, int idx);
bool is_row(lua_State *L, int idx);

// Pushes the value of column i (from 0) of the row at row_idx; shape_idx is the userdata.
// Errors: none.
void push_column(lua_State *L, int row_idx, int shape_idx, int column);

// Pushes the columns of a row of the shape at shape_idx as values; returns how many. Errors: lua.
int push_columns(lua_State *L, int shape_idx, const Datum *values, const bool *nulls);

// Pushes the shape of a type from the cache of this state, or makes it. Errors: lua.
void push_shape_of_type(lua_State *L, Oid type, int32 typmod);

// Puts the metamethods of rows into the new metatable on top. Errors: lua. row.cpp
void add_row_metamethods(lua_State *L);

} // namespace pllua_bg::types
