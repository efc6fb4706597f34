// Fields of the table on top of the stack. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Each sets one field; a text that is nullptr is left out. Errors: lua (memory; metamethods).
inline void set_text(lua_State *L, const char *key, const char *text) {
    if (text == nullptr) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

inline void set_integer(lua_State *L, const char *key, lua_Integer number) {
    lua_pushinteger(L, number);
    lua_setfield(L, -2, key);
}

inline void set_boolean(lua_State *L, const char *key, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

} // namespace pllua_bg::lua
