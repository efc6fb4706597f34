// Memory of the server that Lua values hold. See account.h for the contracts.
#include "api/account.h"

#include "api/spi/cache.h"
#include "lua/error.h"
#include "lua/state.h"
#include "pg/reserve.h"

namespace pllua_bg::api {

namespace {

bool is_refused(lua_State *L, Size bytes) {
    return lua::account_would_exceed(L, bytes) || !pg::take_room(bytes);
}

} // namespace

void require_memory(lua_State *L, Size bytes) {
    if (!is_refused(L, bytes)) [[likely]]
        return;
    lua::need_stack(L, 8);
    // What a finalizer asks for cannot be made room for: others may be waiting behind it.
    if (lua::interp(L)->finalizers == 0) {
        lua_gc(L, LUA_GCCOLLECT);
        if (!is_refused(L, bytes)) return;
        forget_cached_statements(L);
        lua_gc(L, LUA_GCCOLLECT);
        if (!is_refused(L, bytes)) return;
    }
    lua::raise_hint(L, "53200",
                    "Let go of statements, cursors and results that are no longer needed, or "
                    "increase pllua_bg.memory_limit.",
                    "memory limit exceeded");
}

void recount(lua_State *L, Size *counted, Size now) {
    const auto grown = static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(*counted);
    *counted = now;
    if (grown != 0) lua::account_external(L, grown);
}

} // namespace pllua_bg::api
