// Modules in a table; the work is done in lua/pllua/table_modules.lua, loaded when it is needed.
// See table_modules.h for the contract.
#include "pl/table_modules.h"

#include "lua/loader.h"
#include "lua/sandbox.h"
#include "pg/settings.h"

namespace pllua_bg::pl {

namespace {

constexpr char kModule[] = "pllua.table_modules";
// Registry key of what the module returns: its address.
constexpr char kFunctions = 0;

// The table, or null.
const char *place() {
    const char *name = pg::setting_modules;
    return name == nullptr || *name == '\0' ? nullptr : name;
}

void load_functions(lua_State *L) {
    (void)lua::load_embedded(L, kModule);
    lua::push_user_globals(L);
    lua_getfield(L, -1, "package");
    lua_getfield(L, -1, "loaded");
    lua_remove(L, -2);
    lua_call(L, 2, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kFunctions);
}

// A searcher.
int search_table(lua_State *L) {
    luaL_checkstring(L, 1);
    if (place() == nullptr) return 0;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kFunctions) == LUA_TNIL) load_functions(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kFunctions);
    lua_getfield(L, -1, "find");
    lua_pushvalue(L, 1);
    lua_pushstring(L, place());
    lua_call(L, 2, 2);
    return 2;
}

// Upvalue: the `require` there was.
int require_fresh(lua_State *L) {
    const bool is_used = lua_rawgetp(L, LUA_REGISTRYINDEX, &kFunctions) != LUA_TNIL;
    if (is_used && lua_type(L, 1) == LUA_TSTRING) {
        lua_getfield(L, -1, "refresh");
        lua_pushvalue(L, 1);
        lua_pushstring(L, place());
        lua_call(L, 2, 0);
    }
    lua_pop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

} // namespace

void prepare_table_modules(lua_State *L) {
    lua::push_user_globals(L);
    lua_getfield(L, -1, "require");
    lua_pushcclosure(L, require_fresh, 1);
    lua_getfield(L, -2, "package");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "require");
    lua_getfield(L, -1, "searchers");
    lua_pushcfunction(L, search_table);
    lua_rawseti(L, -2, static_cast<lua_Integer>(lua_rawlen(L, -2)) + 1);
    lua_pop(L, 2);
    lua_setfield(L, -2, "require");
    lua_pop(L, 1);
}

} // namespace pllua_bg::pl
