// Lua values bound to memory of the server's. See bound_value.h for the contracts.
#include "pl/bound_value.h"

#include "pg/guard.h"
#include "pg/overdue.h"
#include "pl/execution_context.h"

namespace pllua_bg::pl {

namespace {

// Registry key of the table from places to values.
char values_key;

void push_values(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &values_key) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &values_key);
}

// The memory is about to go, perhaps because a query is torn down.
void on_reset(void *argument) {
    auto *place = static_cast<BoundValue *>(argument);
    if (pg::is_lua_abandoned()) return;
    lua_State *L = place->interpreter->main;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &values_key);
    // The key exists, so this allocates nothing.
    lua_pushnil(L);
    lua_rawsetp(L, -2, place);
    lua_pop(L, 1);
}

} // namespace

BoundValue *bind_value(lua_State *L, MemoryContext memory) {
    BoundValue *place = nullptr;
    pg::call_own_subxact(L, [&] {
        place = static_cast<BoundValue *>(MemoryContextAllocZero(memory, sizeof(BoundValue)));
    });
    rebind_value(L, place);
    place->interpreter = current_execution()->interpreter;
    place->release.func = on_reset;
    place->release.arg = place;
    MemoryContextRegisterResetCallback(memory, &place->release);
    return place;
}

void rebind_value(lua_State *L, const BoundValue *place) {
    push_values(L);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, place);
    lua_pop(L, 1);
}

void push_bound_value(lua_State *L, const void *place) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &values_key) == LUA_TNIL) return;
    lua_rawgetp(L, -1, place);
    lua_remove(L, -2);
}

} // namespace pllua_bg::pl
