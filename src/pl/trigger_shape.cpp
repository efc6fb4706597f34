// The shapes of the rows that triggers see. Owns them, per Lua state.
#include "pl/trigger.h"

namespace pllua_bg::pl {

namespace {

// Registry key of the table from tuple descriptor identifiers to row shapes,
// and how many it may hold.
char shapes_key;
constexpr int kMaxShapes = 256;

// Pushes the table of shapes; makes it when it is new or full.
void push_shapes(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &shapes_key) == LUA_TTABLE) {
        lua_rawgeti(L, -1, 0);
        const bool full = lua_tointeger(L, -1) >= kMaxShapes;
        lua_pop(L, 1);
        if (!full) return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushinteger(L, 0);
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &shapes_key);
}

// Pushes the shape of the relation's rows where it is known.
bool push_known_shape(lua_State *L, lua_Integer key) {
    const int top = lua_gettop(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &shapes_key) == LUA_TTABLE &&
        lua_rawgeti(L, -1, key) == LUA_TTABLE) {
        lua_remove(L, -2);
        return true;
    }
    lua_settop(L, top);
    return false;
}

} // namespace

void push_relation_shape(lua_State *L, const TriggerCall *call) {
    const auto key = static_cast<lua_Integer>(call->site->shape);
    if (push_known_shape(L, key)) return;
    push_shapes(L);
    types::push_shape(L, RelationGetDescr(call->data->tg_relation));
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, key);
    lua_rawgeti(L, -2, 0);
    lua_pushinteger(L, lua_tointeger(L, -1) + 1);
    lua_rawseti(L, -4, 0);
    lua_pop(L, 1);
    lua_remove(L, -2);
}

} // namespace pllua_bg::pl
