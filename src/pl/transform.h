// Calls of the functions of transforms: what they are given and give as `internal` are Lua values,
// bound as the states of aggregates are. Owns the mark of the call that is being made.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"

namespace pllua_bg::pl {

// types::Hooks: transform_from_sql, transform_to_sql.
void transform_from_sql(lua_State *L, const FmgrInfo *function);
Datum transform_to_sql(lua_State *L, int idx, const FmgrInfo *function, Oid type);

// The memory in which the result of a transform lives, when this is a call of one; else nullptr.
MemoryContext transform_memory(FunctionCallInfo fcinfo);

} // namespace pllua_bg::pl
