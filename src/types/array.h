// Arrays between Lua and the server: what the files array*.cpp share. Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// What an array object keeps beside its bytes.
struct ArrayState {
    int dimensions; // 0 when empty
    int length[MAXDIM];
    int low[MAXDIM];
    bool has_nulls;
    int looks;     // how often an element was asked for, up to the one that opens the elements
    bool deformed; // the first user value is a table of the elements' Lua values
    bool modified; // which has overtaken the bytes
};

struct ArrayObject : DatumObject {
    ArrayState array;
};

// Pushes the table of the elements' Lua values, by their position from 1 on in row-major order.
// Errors: lua.
void push_elements(lua_State *L, int idx, ArrayObject *object);
// The array at 1, of one dimension, was asked for an element: when that was often, Lua finds the
// others without a call. Until another table of elements or another first subscript is needed.
// Errors: lua. array_elements.cpp
void count_look(lua_State *L, ArrayObject *object);
void close_elements(lua_State *L, int array_idx);
// The number of elements. Errors: none.
int64 element_count(const ArrayState *array);
// Pushes tables of the elements below the given first `depth` subscripts, as a() does.
// Errors: lua. array_map.cpp
int map_array(lua_State *L, int array_idx, int options_idx, int depth, const int *subscripts);

// The array of a table, of nested ones for more dimensions, or of any other value.
// Errors: lua. array_build.cpp
Datum array_from_lua(lua_State *L, int idx, const Type *type);
// The array of a constructor's arguments: elements; or a table and the lengths of its dimensions;
// or one table or array. True. Errors: lua. array_build.cpp
bool construct_array(lua_State *L, const Type *type, int first, int count, Datum *value);
// The array of the present elements of the object at idx, each converted to the element type of
// `type`, in CurrentMemoryContext. Errors: lua. array_build.cpp
Datum convert_elements(lua_State *L, int idx, const Type *type, ArrayObject *object);

} // namespace pllua_bg::types
