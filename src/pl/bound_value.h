// Lua values that live as long as memory of the server's: the states of aggregates and of
// partitions. Owns the values, per Lua state, in a table of the registry.
#pragma once

#include "lua/lua_api.h"
#include "pl/interpreter.h"

namespace pllua_bg::pl {

// Where a value is bound; lies in the memory context that it is bound to.
struct BoundValue {
    MemoryContextCallback release;
    Interpreter *interpreter;
};

// Binds the value on top of the stack, which is not nil, and pops it. It is let go when `memory` is
// reset. Errors: lua (53200).
BoundValue *bind_value(lua_State *L, MemoryContext memory);
// The same at a place that a value has already; pops the value. Errors: lua (53200).
void rebind_value(lua_State *L, const BoundValue *place);
// Pushes the value bound there, by this Lua state; nil, when the pointer is anything else. It is
// not followed. Errors: none.
void push_bound_value(lua_State *L, const void *place);

} // namespace pllua_bg::pl
