// What this floor calls upward through. Set in src/module.cpp.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"

namespace pllua_bg::types {

struct Hooks {
    // The type of argument n of the running function, of its result when n is 0; InvalidOid when
    // there is none. For pgtype(nil, n). Errors: none.
    Oid (*argument_type)(int n);
    // Cursor objects, the values of type refcursor. Replaces the name on top of the stack by the
    // object. Errors: lua.
    void (*make_cursor)(lua_State *L);
    // Pushes the name of the cursor object at idx; false, and nothing pushed,
    // when it is none. Errors: lua.
    bool (*push_cursor_name)(lua_State *L, int idx);
    // Functions of transforms. The first replaces the value on top of the stack by the one it is
    // transformed to; the second gives the datum of the value at idx, in CurrentMemoryContext, of
    // that type. Errors: lua.
    void (*transform_from_sql)(lua_State *L, const FmgrInfo *function);
    Datum (*transform_to_sql)(lua_State *L, int idx, const FmgrInfo *function, Oid type);
};
extern Hooks hooks;

} // namespace pllua_bg::types
