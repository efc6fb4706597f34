// Arrays between Lua and the server: what the files array*.cpp share. Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// Fills in the state of a new array object from its bytes. Errors: none.
void read_array_state(DatumObject *object);
// Pushes the table of the elements' Lua values, by their position from 1 on in row-major order.
// Errors: lua.
void push_elements(lua_State *L, int idx, DatumObject *object);
// The number of elements. Errors: none.
int64 element_count(const ArrayState *array);
// The datum of a modified array, in CurrentMemoryContext. Errors: lua.
Datum rebuild_array(lua_State *L, int idx, const DatumObject *object);
// Pushes tables of the elements below the given first `depth` subscripts, as a() does. Errors: lua.
// array_map.cpp
int map_array(lua_State *L, int array_idx, int options_idx, int depth, const int *subscripts);

// The array of a constructor's arguments from `first` on: elements; or a table and the lengths of
// its dimensions; or one table or array. Errors: lua. array_build.cpp
Datum array_of_arguments(lua_State *L, int first, int count, const Type *type);
// The array that those elements make; null elements where nulls says so. Errors: lua.
Datum construct_array_of(lua_State *L, const Type *type, const ArrayState *array,
                         const Datum *values, const bool *nulls);
// Frees elements that have been copied into an array. Errors: none.
void free_elements(const Type *element, const Datum *values, const bool *nulls, int64 count);
// The highest positive integer key of the table at idx, 0 when there is none. Errors: lua.
lua_Integer highest_index(lua_State *L, int idx);

} // namespace pllua_bg::types
