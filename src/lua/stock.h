// Guards over functions of Lua's own libraries. A guard's upvalue 1 is the function it guards.
// Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Replaces functions of the library table on top of the stack by guards, each with the replaced
// function as its upvalue. Members the table lacks stay absent. Errors: lua (memory).
inline void set_guards(lua_State *L, const luaL_Reg *guards) {
    for (; guards->name != nullptr; guards++) {
        if (lua_getfield(L, -1, guards->name) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushcclosure(L, guards->func, 1);
        lua_setfield(L, -2, guards->name);
    }
}

// Runs the guarded function in the guard's own frame, with the arguments as they are now: messages
// name the guard. Errors: lua.
inline int run_guarded(lua_State *L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

} // namespace pllua_bg::lua
