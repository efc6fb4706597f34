// setmetatable and getmetatable with shadows, and the finalizer that a shadow has.
#include "lua/gc_guard.h"
#include "lua/fields.h"

#include "lua/hooks.h"
#include "lua/state.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr char kShadows = 0; // registry key: weak table, metatable -> shadow
constexpr char kOrigin = 0;  // key in a shadow: the metatable it stands for

// Lua calls an object whose __call is an object in turn by moving all arguments once a link, and
// nothing can interrupt that.
constexpr int kMostCallLinks = 200;

// __gc of every shadow. Upvalue 1: the user's metatable.
int finalize(lua_State *L) {
    lua_settop(L, 1);
    if (interp(L)->puts_off) {
        if (lua_getmetatable(L, 1)) lua_setmetatable(L, 1); // marks it anew
        return 0;
    }
    lua_pushstring(L, "__gc");
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) return 0;
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 2);

    Interp *owner = interp(L);
    int results;
    owner->finalizers++;
    int status = hooks.resume_finalizer(co, L, 1, &results);
    owner->finalizers--;
    if (status == LUA_OK) return 0;
    if (status == LUA_YIELD) return luaL_error(L, "attempt to yield from a finalizer");
    lua_xmove(co, L, 1);
    return lua_error(L); // Lua makes it a warning
}

// Makes the shadow at `shadow` equal to the metatable at `origin`, but for __gc.
void refresh_shadow(lua_State *L, int origin, int shadow) {
    lua_pushnil(L);
    while (lua_next(L, shadow) != 0) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, origin) == LUA_TNIL) {
            lua_pushvalue(L, -2);
            lua_pushnil(L);
            lua_rawset(L, shadow);
        }
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, origin) != 0) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, shadow);
    }
    lua_pushstring(L, "__gc");
    lua_pushvalue(L, origin);
    lua_pushcclosure(L, finalize, 1);
    lua_rawset(L, shadow);
    lua_pushvalue(L, origin);
    lua_rawsetp(L, shadow, &kOrigin);
}

// Replaces the metatable on top by its shadow.
void push_shadow(lua_State *L) {
    int origin = lua_gettop(L);
    interp(L)->has_shadows = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kShadows);
    lua_pushvalue(L, origin);
    if (lua_rawget(L, -2) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, origin);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    refresh_shadow(L, origin, lua_gettop(L));
    lua_replace(L, origin);
    lua_settop(L, origin);
}

// Raises when calling the table at index 1 with the metatable at index 2 would lead through too
// many objects before there is a function.
void check_call_chain(lua_State *L) {
    lua_pushvalue(L, 2);
    for (int links = 0;; links++) {
        lua_pushvalue(L, lua_upvalueindex(2)); // "__call"
        if (lua_rawget(L, -2) == LUA_TNIL || lua_isfunction(L, -1)) break;
        if (links == kMostCallLinks) luaL_error(L, "'__call' chain too long; possibly a loop");
        if (lua_rawequal(L, -1, 1))
            lua_pushvalue(L, 2);
        else if (!lua_getmetatable(L, -1))
            break;
        lua_replace(L, 3);
        lua_settop(L, 3);
    }
    lua_settop(L, 2);
}

int set_metatable(lua_State *L) {
    int kind = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (kind == LUA_TTABLE) {
        lua_pushvalue(L, lua_upvalueindex(1)); // "__gc"
        bool finalized = lua_rawget(L, 2) != LUA_TNIL;
        lua_settop(L, 2);
        check_call_chain(L);
        if (finalized) push_shadow(L);
    }
    lua_setmetatable(L, 1);
    return 1;
}

int get_metatable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1;
    if (interp(L)->has_shadows && lua_rawgetp(L, -1, &kOrigin) == LUA_TNIL) lua_pop(L, 1);
    return 1;
}

} // namespace

void set_metatable_functions(lua_State *L) {
    lua_pushstring(L, "__gc");
    lua_pushstring(L, "__call");
    lua_pushcclosure(L, set_metatable, 2);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, get_metatable);
    lua_setfield(L, -2, "getmetatable");

    lua_newtable(L);
    lua_createtable(L, 0, 1);
    set_text(L, "__mode", "k");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kShadows);
}

void collect_without_finalizers(lua_State *L) {
    Interp *owner = interp(L);
    const bool outer = owner->puts_off;
    owner->puts_off = true;
    lua_gc(L, LUA_GCCOLLECT);
    owner->puts_off = outer;
}

} // namespace pllua_bg::lua
