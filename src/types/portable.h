// Lua tables as bytes that another process can make the same tables of: parameters of sessions
// whose type only the session knows. Owns nothing.
#pragma once

#include "types/types.h"

namespace pllua_bg::types {

// What each value begins with.
enum class Tag : char {
    kNil,
    kFalse,
    kTrue,
    kInteger,
    kFloat,
    kString,
    kTable,   // mark, entries; whether it has its own pairs(), then these; the same for its length
    kRow,     // type, number of columns; of each its name, type, modifier and value
    kObject,  // type, bytes
    kTyped,   // type, a string: an object with rows in it, whose type may be altered on the way
    kNull,    // the null of JSON
    kWritten, // a string: a value that is one only for tostring()
    kOther,   // its Lua type: a value that nothing can be made of
};

// The table at idx with all it holds, as a bytea in CurrentMemoryContext. Rows go as rows, objects
// as objects; of a table with a metatable goes what pairs() or its length and indexes give. Errors:
// lua (54001, 54000 too large; 0A000 an array of records; 55000 a type that the open transaction
// changes; what metamethods raise). For another database what means nothing there goes as its text,
// and rows with such a column as tables of their fields.
Datum to_portable(lua_State *L, int idx, bool elsewhere);
// Pushes the value again. Errors: lua (42704 a type does not exist here).
void push_portable(lua_State *L, Datum portable);

} // namespace pllua_bg::types
