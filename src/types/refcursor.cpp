// Values of type refcursor: the names of cursors, and to Lua code the cursors themselves.
// Owns nothing.
#include "types/helpers.h"
#include "types/hooks.h"

namespace pllua_bg::types {

Hooks hooks;

namespace {

void refcursor_to_lua(lua_State *L, const Type *type, Datum value) {
    text_to_lua(L, type, value);
    hooks.make_cursor(L);
}

Datum refcursor_from_lua(lua_State *L, int idx, const Type *type) {
    if (!hooks.push_cursor_name(L, idx)) return text_from_lua(L, idx, type);
    const Datum value = text_from_lua(L, lua_gettop(L), type);
    lua_pop(L, 1);
    return value;
}

} // namespace

const Family kRefcursorFamily = {
    .to_lua = refcursor_to_lua, .from_lua = refcursor_from_lua, .is_text = true, .tidy = true};

} // namespace pllua_bg::types
