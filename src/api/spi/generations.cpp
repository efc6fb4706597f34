// The tables behind the cache of statements. See cache.h for the contracts.
//
// Two tables by command text. What is looked up moves to the young one; when that is full, or holds
// more than its part of the memory limit, it becomes the old one, and the former old one is left to
// the collector. Statements of one text with different types of values are chained.
#include "api/spi/cache.h"

#include "lua/state.h"

namespace pllua_bg::api {

namespace {

// Registry key of the cache: its address. The cache is a sequence of these.
constexpr char kCache = 0;
constexpr int kYoung = 1;
constexpr int kOld = 2;
constexpr int kYoungCount = 3;
constexpr int kYoungBytes = 4;

constexpr int kGeneration = 256; // texts in one table
constexpr Size kShare = 16;      // one table holds so great a part of the memory limit

// Adds to a number of the cache at idx; what it is then.
lua_Integer add_to(lua_State *L, int idx, int field, lua_Integer more) {
    lua_rawgeti(L, idx, field);
    const lua_Integer sum = lua_tointeger(L, -1) + more;
    lua_pop(L, 1);
    lua_pushinteger(L, sum);
    lua_rawseti(L, idx, field);
    return sum;
}

void set_number(lua_State *L, int idx, int field, lua_Integer number) {
    lua_pushinteger(L, number);
    lua_rawseti(L, idx, field);
}

// True when the young table of the cache at idx has enough after one more text.
bool is_full(lua_State *L, int idx, bool known, Size bytes) {
    const auto most = static_cast<lua_Integer>(lua::interp(L)->limit / kShare);
    const lua_Integer count = add_to(L, idx, kYoungCount, known ? 0 : 1);
    const lua_Integer held = add_to(L, idx, kYoungBytes, static_cast<lua_Integer>(bytes));
    return count >= kGeneration || (most > 0 && held > most);
}

// Empties a table of the cache at idx, without memory.
void clear_table(lua_State *L, int idx, int field) {
    lua_rawgeti(L, idx, field);
    for (lua_pushnil(L); lua_next(L, -2) != 0;) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

} // namespace

void keep_chain(lua_State *L, int idx) {
    const Size bytes = static_cast<const Statement *>(lua_touserdata(L, -1))->counted;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache);
    const int cache = lua_gettop(L);
    lua_rawgeti(L, cache, kYoung);
    lua_pushvalue(L, idx);
    const bool known = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    lua_pushvalue(L, idx);
    lua_pushvalue(L, cache - 1);
    lua_rawset(L, -3);
    if (is_full(L, cache, known, bytes)) {
        lua_rawseti(L, cache, kOld);
        lua_newtable(L);
        lua_rawseti(L, cache, kYoung);
        set_number(L, cache, kYoungCount, 0);
        set_number(L, cache, kYoungBytes, 0);
    }
    lua_settop(L, cache - 2);
}

void push_chain(lua_State *L, int idx) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache);
    const int cache = lua_gettop(L);
    lua_rawgeti(L, cache, kYoung);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_settop(L, cache);
        lua_rawgeti(L, cache, kOld);
        lua_pushvalue(L, idx);
        if (lua_rawget(L, -2) != LUA_TNIL) {
            lua_pushvalue(L, -1);
            keep_chain(L, idx);
        }
    }
    lua_replace(L, cache);
    lua_settop(L, cache);
}

void forget_cached_statements(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache) == LUA_TTABLE) {
        const int cache = lua_gettop(L);
        clear_table(L, cache, kYoung);
        clear_table(L, cache, kOld);
        set_number(L, cache, kYoungCount, 0);
        set_number(L, cache, kYoungBytes, 0);
    }
    lua_pop(L, 1);
}

void initialize_statement_cache(lua_State *L) {
    lua_createtable(L, 4, 0);
    lua_newtable(L);
    lua_rawseti(L, -2, kYoung);
    lua_newtable(L);
    lua_rawseti(L, -2, kOld);
    set_number(L, lua_gettop(L), kYoungCount, 0);
    set_number(L, lua_gettop(L), kYoungBytes, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kCache);
}

} // namespace pllua_bg::api
