// What one run of a statement needs for its time: parameters, and rows received. Kept in a pool
// of the Lua state, because making a memory context for each run would cost more than the run.
// Owns, through a Lua object, the memory context; a run that ends by a Lua error leaves it to
// the collector.
#pragma once

#include "api/spi/rows.h"
#include "types/types.h"

namespace pllua_bg::api {

struct ParamArena {
    MemoryContext context; // of the parameters and the rows
    ParamListInfo params;  // null when there are none
    RowStore rows;
};

// Pushes one that nobody uses. Errors: lua (memory).
ParamArena *take_arena(lua_State *L);
// Frees what it holds. Errors: none.
void reset_arena(lua_State *L, ParamArena *arena);
// Frees what it holds and puts the object at idx back into the pool. Errors: lua (memory).
void return_arena(lua_State *L, int idx);

// Makes datums of the n values from index `first` on, in the arena's context; without a plan what
// another process, elsewhere in another database, reads. Errors: lua.
void convert_values(lua_State *L, ParamArena *arena, int first, int n,
                    const types::Type *const *plans, Datum *values, bool *nulls,
                    bool elsewhere = false);

// Makes params of the nargs Lua values from index `first` on, of the given types. Uses the
// database. Errors: lua.
void set_parameters(lua_State *L, ParamArena *arena, int first, int nargs, const Oid *types);

// Makes the metatable and the pool of a new state. Errors: lua (memory).
void initialize_arenas(lua_State *L);

} // namespace pllua_bg::api
