// Values of type refcursor: the names of cursors, and to Lua code the cursors themselves. Owns the
// hooks of the floor above.
#include "types/values.h"

namespace pllua_bg::types {

CursorHooks cursor_hooks;

void push_refcursor(lua_State *L, const Type *type, Datum value) {
    push_text(L, type, value);
    if (cursor_hooks.make != nullptr) cursor_hooks.make(L);
}

Datum take_refcursor(lua_State *L, int idx, const Type *type) {
    if (cursor_hooks.push_name == nullptr || !cursor_hooks.push_name(L, idx))
        return take_text(L, idx, type);
    const Datum value = take_text(L, lua_gettop(L), type);
    lua_pop(L, 1);
    return value;
}

} // namespace pllua_bg::types
