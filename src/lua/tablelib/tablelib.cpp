// table.insert, remove, move and concat. Lua's own do the everyday work; long loops, and loops
// whose length a metamethod decides, run here. (table.move of nothing over 2^60 places never ends
// in Lua's own.)
#include "lua/tablelib/tablelib.h"

#include <cstddef>

#include "lua/interrupt.h"
#include "lua/stack.h"
#include "lua/stock.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// Loops up to this long go to Lua's own functions.
constexpr lua_Unsigned kShort = 100000;

bool is_short_plain_table(lua_State *L) {
    if (lua_type(L, 1) != LUA_TTABLE) return true; // the guarded function complains
    if (lua_getmetatable(L, 1)) {
        lua_pop(L, 1);
        return false;
    }
    return lua_rawlen(L, 1) <= kShort;
}

void tick(lua_State *L, lua_Unsigned step) {
    if ((step & 1023) == 0) check_interrupt(L);
}

int insert(lua_State *L) {
    if (lua_gettop(L) != 3 || is_short_plain_table(L)) return run_guarded(L);
    lua_Integer end = static_cast<lua_Integer>(static_cast<lua_Unsigned>(luaL_len(L, 1)) + 1);
    lua_Integer position = luaL_checkinteger(L, 2);
    luaL_argcheck(L, static_cast<lua_Unsigned>(position) - 1 < static_cast<lua_Unsigned>(end), 2,
                  "position out of bounds");
    for (lua_Integer i = end; i > position; i--) {
        lua_geti(L, 1, i - 1);
        lua_seti(L, 1, i);
        tick(L, static_cast<lua_Unsigned>(i));
    }
    lua_seti(L, 1, position);
    return 0;
}

int remove(lua_State *L) {
    if (lua_gettop(L) < 2 || is_short_plain_table(L)) return run_guarded(L);
    lua_Integer size = luaL_len(L, 1);
    lua_Integer position = luaL_optinteger(L, 2, size);
    if (position != size)
        luaL_argcheck(L, static_cast<lua_Unsigned>(position) - 1 <= static_cast<lua_Unsigned>(size),
                      2, "position out of bounds");
    lua_geti(L, 1, position);
    for (; position < size; position++) {
        lua_geti(L, 1, position + 1);
        lua_seti(L, 1, position);
        tick(L, static_cast<lua_Unsigned>(position));
    }
    lua_pushnil(L);
    lua_seti(L, 1, position);
    return 1;
}

int move(lua_State *L) {
    lua_Integer first = luaL_checkinteger(L, 2);
    lua_Integer last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    bool is_short =
        last < first || static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(first) < kShort;
    // What can be no table is complained of by the guarded function; so are counts that overflow.
    bool tables = lua_type(L, 1) == LUA_TTABLE && lua_type(L, target) == LUA_TTABLE;
    if (is_short || !tables || !(first > 0 || last < LUA_MAXINTEGER + first)) return run_guarded(L);
    lua_Integer count = last - first + 1;
    if (to > LUA_MAXINTEGER - count + 1) return run_guarded(L);
    bool upwards =
        to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ));
    for (lua_Integer i = 0; i < count; i++) {
        lua_Integer offset = upwards ? i : count - 1 - i;
        lua_geti(L, 1, first + offset);
        lua_seti(L, target, to + offset);
        tick(L, static_cast<lua_Unsigned>(i));
    }
    lua_pushvalue(L, target);
    return 1;
}

void add_item(lua_State *L, luaL_Buffer *buffer, lua_Integer i) {
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1),
                   static_cast<LUAI_UACINT>(i));
    luaL_addvalue(buffer);
}

int concat(lua_State *L) {
    check_stack(L);
    if (lua_type(L, 1) != LUA_TTABLE || (is_short_plain_table(L) && lua_gettop(L) < 4))
        return run_guarded(L);
    lua_Integer last = luaL_len(L, 1);
    size_t length;
    const char *separator = luaL_optlstring(L, 2, "", &length);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    last = luaL_optinteger(L, 4, last);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (; i < last; i++) {
        add_item(L, &buffer, i);
        luaL_addlstring(&buffer, separator, length);
        tick(L, static_cast<lua_Unsigned>(i));
    }
    if (i == last) add_item(L, &buffer, i);
    luaL_pushresult(&buffer);
    return 1;
}

} // namespace

void set_table_functions(lua_State *L) {
    static const luaL_Reg kGuards[] = {
        {"insert", insert}, {"remove", remove}, {"move", move},
        {"concat", concat}, {nullptr, nullptr},
    };
    set_guards(L, kGuards);
}

} // namespace pllua_bg::lua
