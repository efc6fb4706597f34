// Results of commands as Lua tables: the same code for local commands and for those of background
// sessions. Owns nothing; what it makes belongs to Lua.
//
// A result is a table: the rows at 1..n, and n. Its metatable gives the fields tag, columns
// ({name=, type=, oid=, typmod=} each) and, for one row of one column, value, so that pairs() does
// not meet them; it refuses other names of fields, and makes a text of the result. The result of a
// command without rows has n and tag only.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Pushes the result shape of a descriptor: one Lua value that holds all that its results have in
// common (the shape of the rows and the table of columns). Keep it with the statement; making it is
// the expensive part. type_names, when given, has a name per column and overrides the descriptor's
// types in the table of columns; an entry may be null. Errors: lua.
void push_result_shape(lua_State *L, TupleDesc descriptor, const char *const *type_names = nullptr);

// A result under construction. Lives in the builder's C++ frame; its Lua values live on the stack
// of L between begin_result and finish_result: two slots, the result below and the row shape on
// top. Leave the stack above them as it was.
struct ResultBuilder {
    lua_State *L;
    int result;       // stack index of the table
    int row_shape;    // stack index of the shape of a row
    int result_shape; // stack index of the result shape, as given to begin_result
    lua_Integer n;    // rows so far
};

// Pushes the new result (and the shape). expected: how many rows will come,
// a guess; 0: unknown. Errors: lua.
void begin_result(lua_State *L, ResultBuilder *builder, int shape_idx, uint64 expected);
// Add one row. The memory of the row stays the caller's and is not needed afterwards. Errors: lua.
void add_row(ResultBuilder *builder, const Datum *values, const bool *nulls);
void add_minimal(ResultBuilder *builder, MinimalTuple tuple);
// Sets n, tag (may be null), columns, value, and leaves the result alone on the stack, where
// begin_result was called. Errors: lua.
void finish_result(ResultBuilder *builder, const char *tag);

// Pushes the result of a command that returns no rows. Errors: lua.
void push_command_result(lua_State *L, const char *tag, uint64 n);

// Makes the metatable of results. Called once for each new state. Errors: lua.
void open_results(lua_State *L);
bool is_result(lua_State *L, int idx);

// Pushes the shape of the rows of a result shape, for types::push_row. Errors: none.
void push_row_shape(lua_State *L, int shape_idx);

} // namespace pllua_bg::api
