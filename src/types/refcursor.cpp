// Values of type refcursor: the names of cursors, and to Lua code the cursors themselves. Owns
// nothing.
#include "types/helpers.h"
#include "types/hooks.h"

namespace pllua_bg::types {

Hooks hooks;

void push_refcursor(lua_State *L, const Type *type, Datum value) {
    push_text(L, type, value);
    hooks.make_cursor(L);
}

Datum take_refcursor(lua_State *L, int idx, const Type *type) {
    if (!hooks.push_cursor_name(L, idx)) return take_text(L, idx, type);
    const Datum value = take_text(L, lua_gettop(L), type);
    lua_pop(L, 1);
    return value;
}

} // namespace pllua_bg::types
