// Reading the rows of a statement of a session, one after the other, as values for Lua.
// Owns nothing; a RowSource lives in its owner's frame or Lua object and keeps what it
// needs in a memory context.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"
#include "session/session.h"
#include "session/shared/row_definition.h"

namespace pllua_bg::api {

// How to make the value of a column that came as text, or whose type has row types in it.
struct TextColumn {
    session::RowDefinition *definitions;
    bool foreign; // it came in binary, and is to be text: the type is defined otherwise here
    bool convert; // it came as text, and is to be what it is
    FmgrInfo input;
    Oid io_param;
    int32 typmod; // of the type it is read as
};

struct RowSource {
    session::TupleReader *reader;
    MemoryContext memory; // below the one that was current at open_source()
    MemoryContext row;    // of the values of a row with such columns
    Oid user;             // of the session
    int ncolumns;
    const session::Column *info;
    TupleDesc sent;       // what the tuples are formed with
    TupleDesc descriptor; // of the values
    TextColumn *columns;  // nullptr when there are no such columns
    Datum *values;        // of a row with such columns
    bool *nulls;
};

// keep: the source shall not depend on the statement's memory, but for its reader. Errors: pg.
void open_source(RowSource *source, session::StatementResult *statement, bool keep);
// Makes values and nulls of a tuple with such columns. Errors: pg (what the types' input functions
// raise; 55000: a type was changed since the first row, or the user).
void convert_tuple(RowSource *source, MinimalTuple tuple);
// Errors: none.
void close_source(RowSource *source);

// Pushes the result shape (result.h) of the statement's rows. Errors: lua.
void push_source_shape(lua_State *L, int handle_idx, const RowSource *source);

} // namespace pllua_bg::api
