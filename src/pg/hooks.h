// What this floor calls upward through. Set in src/module.cpp.
#pragma once

#include "pg/server.h"

struct lua_State;

namespace pllua_bg::pg {

struct Hooks {
    // Raises an error in Lua, and takes it over. Errors: lua.
    void (*raise_in_lua)(lua_State *L, ErrorData *error);
    // A signal handler has found that InterruptPending is set. Async-signal-safe. Errors: none.
    void (*notice_interrupt)();
    // This process has committed a transaction, and all others know (pg/after_commit.h). There is
    // no resource owner. Errors: none.
    void (*commit_is_known)();
    // The bytes that the largest interpreter counts for itself. Errors: none.
    size_t (*largest_interpreter)();
    // Collects the garbage of all interpreters; runs no code of users. Errors: none.
    void (*collect_garbage)();
    // setting_pool_size is about to change. Errors: none.
    void (*pool_size_changes)(int value);
    // What only Lua can do with a table that is a parameter: say which type it has by itself, and
    // make a value of it. Errors: pg.
    Oid (*own_type_of_table)(Datum table);
    Datum (*convert_table)(Datum table, Oid type, bool *isnull);
};
extern Hooks hooks;

} // namespace pllua_bg::pg
