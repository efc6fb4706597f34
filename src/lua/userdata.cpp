// Metatables by the address of their type's name, and the checks that need them.
#include "lua/userdata.h"
#include "lua/fields.h"
#include "lua/stack.h"
#include "lua/traceback.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

bool new_metatable(lua_State *L, const char *type, const char *shown) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, type) == LUA_TTABLE) return false;
    lua_pop(L, 1);
    lua_createtable(L, 0, 8);
    set_text(L, "__name", shown != nullptr ? shown : type);
    set_boolean(L, "__metatable", true);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, type);
    return true;
}

void *test_userdata(lua_State *L, int idx, const char *type) {
    void *block = lua_touserdata(L, idx);
    if (block == nullptr || !lua_getmetatable(L, idx)) return nullptr;
    lua_rawgetp(L, LUA_REGISTRYINDEX, type);
    if (!lua_rawequal(L, -1, -2)) block = nullptr;
    lua_pop(L, 2);
    return block;
}

void *require_userdata(lua_State *L, int idx, const char *type) {
    void *block = test_userdata(L, idx, type);
    if (block != nullptr) return block;
    need_stack(L, 2);
    const char *shown = type;
    int top = lua_gettop(L);
    push_metatable(L, type);
    if (lua_istable(L, -1) && lua_getfield(L, -1, "__name") == LUA_TSTRING)
        shown = lua_tostring(L, -1);
    lua_settop(L,
               top); // the metatable keeps the name; an index with no value must stay without one
    raise_type_error(L, idx, shown);
    return nullptr;
}

} // namespace pllua_bg::lua
