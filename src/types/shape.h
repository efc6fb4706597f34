// Row shapes: the metatable that all rows of one descriptor share.
// Owns nothing; shapes belong to the collector.
#pragma once

#include "types/helpers.h"

namespace pllua_bg::types {

struct ShapeColumn {
    const Type *type; // null when dropped
    // Lua's own string of its name, and its bytes. Null when a later column has the same name.
    const void *key;
    const char *name;
};

// A userdata, kept in the metatable. Its user value is the table from names to numbers.
struct Shape {
    TupleDesc descriptor; // a copy of its own, in the plan context
    uint64 identifier;    // the type cache's, 0 for anonymous ones
    int live;             // columns that are not dropped
    int searched;         // so many columns, from the first, are worth a look at their keys
    ptrdiff_t counted;    // bytes of the descriptor in the account of the interpreter
    ShapeColumn columns[FLEXIBLE_ARRAY_MEMBER];
};

// Pushes the userdata of the metatable at idx; null, and nothing pushed,
// when it is no shape. Errors: lua 55000 (a finalizer of Lua code uses what is garbage with it).
Shape *push_shape_data(lua_State *L, int metatable_idx);
// The same for the row at idx.
Shape *push_shape_of_row(lua_State *L, int idx);
bool is_row(lua_State *L, int idx);

// Where the table of a row has its first column. Lua code sees these keys with next() only: a name
// or a place is no key of the table, so what is assigned to one comes to __newindex.
constexpr lua_Integer kFirstColumn = 2147400000;
// Takes the value on top; it is one that the type of the column gives. Errors: lua (memory).
inline void set_column(lua_State *L, int row_idx, int column) {
    lua_rawseti(L, row_idx, kFirstColumn + column);
}
// Makes the table on top, whose columns have been set, a row. Errors: none.
inline void finish_row(lua_State *L, int shape_idx) {
    lua_pushvalue(L, shape_idx);
    lua_setmetatable(L, -2);
}
// Pushes the value of column i (from 0) of the row at row_idx. Errors: none.
inline void push_column(lua_State *L, int row_idx, int column) {
    lua_rawgeti(L, row_idx, kFirstColumn + column);
}

// Pushes the columns of a row of the shape at shape_idx as values; returns how many. Errors: lua.
int push_columns(lua_State *L, int shape_idx, const Datum *values, const bool *nulls);

// Pushes the shape of a type from the cache of this state, or makes it. `entry` is the type's,
// where it is at hand. Errors: lua.
void push_shape_of_type(lua_State *L, Oid type, int32 typmod,
                        const TypeCacheEntry *entry = nullptr);

// Puts the metamethods of rows into the new metatable below the shape's userdata on top, which is
// popped. Errors: lua. row.cpp
void add_row_metamethods(lua_State *L);

} // namespace pllua_bg::types
