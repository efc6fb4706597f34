// Plans behind spi.execute, by command text and types of parameters. Owned by the Lua state; at
// most two generations, each of kGeneration texts and of a part of the memory limit.
#pragma once

#include "api/spi/statement.h"

namespace pllua_bg::api {

// Pushes the statement for the command at idx (a string) with nargs values from index `first` on:
// out of the cache when it has one that fits and whose inferred types still hold, else a new one.
// cursor_options: CURSOR_OPT_* for the planner. Errors: lua.
void push_cached_statement(lua_State *L, int idx, int first, int nargs, int cursor_options);

// Leaves a statement at idx: the one that is there, or the cached one for the command text that is
// there. `function` is named in the error for anything else. Errors: lua.
void replace_command(lua_State *L, int idx, int first, int nargs, int cursor_options,
                     const char *function);

// Of generations.cpp.

// Pushes the first statement of the command at idx, or nil; makes its text young. Errors:
// lua (memory).
void push_chain(lua_State *L, int idx);
// Makes the statement on top, which is popped, what is kept for the command at idx. Errors:
// lua (memory).
void keep_chain(lua_State *L, int idx);
// Lets go of all statements. Errors: none.
void forget_cached_statements(lua_State *L);

// Makes the cache of a new state. Errors: lua (memory).
void initialize_statement_cache(lua_State *L);

} // namespace pllua_bg::api
