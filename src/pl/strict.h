// Strict mode: global variables have to be declared. Owns nothing.
//
// A function is strict that has a line `-- strict`, or that was compiled with pllua_bg.strict.
// Declared is what has a value; `self` declares.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::pl {

// Whether a text is compiled as strict now. Errors: none.
bool is_strict(const char *text);

// Pushes what stands for the environment on top in strict code: it refuses to read and to write
// what has no value. Errors: lua (memory).
void push_strict_environment(lua_State *L);

// A WARNING for each name that is a global variable in the chunk on top, has no value among the
// globals of user code and is not set by the text as a field of `self`, with the first line that
// has it. Errors: lua.
void warn_of_globals(lua_State *L, const char *function, const char *text);

} // namespace pllua_bg::pl
