// Typed userdata. A type is named by the address of a constant text: the address is the registry
// key of its metatable (a check costs no string lookup), the text is its name in messages. Owns
// nothing; metatables live in the registry.
#pragma once

#include <new>
#include <type_traits>

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Pushes the metatable of type; makes it (with __name = shown, or the type's own text) when it is
// new and returns true then. Locks it against getmetatable (__metatable = true) as pllua does.
// Errors: lua (memory).
bool new_metatable(lua_State *L, const char *type, const char *shown = nullptr);
// Pushes the metatable of type; nil when it was not made. Errors: none.
inline void push_metatable(lua_State *L, const char *type) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, type);
}

// The block of the userdata at idx when it is of this type, else null.
// Needs two stack slots. Errors: none.
void *test_userdata(lua_State *L, int idx, const char *type);
// The same, raising "bad argument #idx (... expected, got ...)". Errors: lua.
void *require_userdata(lua_State *L, int idx, const char *type);

// Pushes a new zeroed T. Errors: lua (memory).
template <class T> T *new_userdata(lua_State *L, const char *type, int uservalues = 0) {
    static_assert(std::is_trivially_destructible_v<T>, "ends with __gc or not at all");
    void *block = lua_newuserdatauv(L, sizeof(T), uservalues);
    T *object = new (block) T();
    lua_rawgetp(L, LUA_REGISTRYINDEX, type);
    lua_setmetatable(L, -2);
    return object;
}

template <class T> T *check_userdata(lua_State *L, int idx, const char *type) {
    return static_cast<T *>(require_userdata(L, idx, type));
}

template <class T> T *to_userdata(lua_State *L, int idx, const char *type) {
    return static_cast<T *>(test_userdata(L, idx, type));
}

} // namespace pllua_bg::lua
