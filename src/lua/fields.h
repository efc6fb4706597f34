// Fields of tables. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Each sets one field of the table on top of the stack; a text that is nullptr is left out. Errors:
// lua (memory; metamethods).
inline void set_text(lua_State *L, const char *key, const char *text) {
    if (text == nullptr) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

inline void set_integer(lua_State *L, const char *key, lua_Integer number) {
    lua_pushinteger(L, number);
    lua_setfield(L, -2, key);
}

// Whether the field of the table at idx is there and true. Errors: lua (metamethods).
inline bool is_true(lua_State *L, int idx, const char *key) {
    lua_getfield(L, idx, key);
    const bool result = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return result;
}

inline void set_boolean(lua_State *L, const char *key, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

} // namespace pllua_bg::lua
