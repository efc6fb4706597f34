// Raises the prebuilt errors.
#include "lua/stack.h"

#include "lua/state.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

void need_stack(lua_State *L, int slots) {
    if (lua_checkstack(L, slots)) return;
    lua_gc(L, LUA_GCCOLLECT);
    const size_t refused = interp(L)->refused;
    if (lua_checkstack(L, slots)) return;
    if (interp(L)->refused == refused) luaL_error(L, "stack overflow");
    lua_settop(L, 0);
    push_out_of_memory(L);
    lua_error(L);
}

void raise_stack_too_deep(lua_State *L) {
    need_stack(L, 1);
    push_stack_too_deep(L);
    lua_error(L);
    __builtin_unreachable();
}

} // namespace pllua_bg::lua
