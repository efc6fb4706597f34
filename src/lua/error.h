// The error object of the language: a full userdata that holds every field of a server error,
// or of one raised by us. Owns the metatable of error objects and the prebuilt
// ones of each state (stack.h).
#pragma once

#include <cstdarg>

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// The metatable's key and name (userdata.h).
inline constexpr char kErrorType[] = "pllua_bg.error";

// All pointers may be null. The names Lua code uses are in kErrorFieldNames
// (error.cpp), the same as pllua's.
struct ErrorFields {
    const char *severity; // "ERROR" when null; Lua code sees it in lower case
    const char *sqlstate; // five characters; "XX000" when null
    const char *message;
    const char *detail;
    const char *hint;
    const char *context;
    const char *schema;
    const char *table;
    const char *column;
    const char *datatype;
    const char *constraint;
    const char *internal_query;
    const char *query;      // the statement that failed, when the raiser knows it
    const char *message_id; // the untranslated format of the message
    const char *source_file;
    const char *source_function;
    int source_line;
    int position; // cursor position in the statement, counted in characters from 1; 0: unknown
    int internal_position; // the same in internal_query
    bool server;           // raised by the server, not by Lua code
    bool passes;           // only a pcall that undoes what was done before may catch it
};

// Pushes a new error object with a copy of fields. Errors: lua (memory).
void push_error(lua_State *L, const ErrorFields &fields);

bool is_error(lua_State *L, int idx);
// The fields of the error object at idx; null when it is none.
// Valid while the object lives. Errors: none.
const ErrorFields *error_fields(lua_State *L, int idx);
// One text field by the name Lua code uses ("message", "sqlstate", ...); null when absent or no
// error object. Errors: none.
const char *error_field(lua_State *L, int idx, const char *name);

// Raise an error object. fmt is lua_pushfstring's: %s %d %f %p %c %U %% and %I (lua_Integer).
// Errors: lua, always.
[[noreturn]] void raise(lua_State *L, const char *sqlstate, const char *fmt, ...);
[[noreturn]] void raise_hint(lua_State *L, const char *sqlstate, const char *hint, const char *fmt,
                             ...);
[[noreturn]] void raise_fields(lua_State *L, const ErrorFields &fields);
// Lua code has brought back an object, in a finalizer of its own, whose finalizer has run: `what`
// names it, with its article. Errors: lua 55000, always.
[[noreturn]] void raise_finalized(lua_State *L, const char *what);

// Makes the metatable and the prebuilt errors. Called once by create_interp. Errors: lua (memory).
void initialize_errors(lua_State *L);

// Pushes the module 'pllua.error': type, errcode, category. Floors above add pcall and its family.
// Errors: lua (memory).
int open_error(lua_State *L);

} // namespace pllua_bg::lua
