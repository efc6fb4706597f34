// The type of a Lua value for a parameter that has none of its own. Owns nothing.
#include "types/datum_object.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "lua/state.h"
#include "pg/guard.h"

extern "C" {
#include "utils/array.h"
}

namespace pllua_bg::types {

namespace {

[[noreturn]] void no_type(lua_State *L, int idx) {
    lua::raise(L, "42804", "a Lua %s has no type of its own", luaL_typename(L, idx));
}

// The common type of what is known so far and one more element; UNKNOWNOID when there is none.
Oid common_type(Oid known, Oid next) {
    if (!OidIsValid(known) || known == next) return next;
    const bool both_numbers =
        (known == INT8OID || known == FLOAT8OID) && (next == INT8OID || next == FLOAT8OID);
    return both_numbers ? FLOAT8OID : UNKNOWNOID;
}

// The type of the elements of a sequence, through all its dimensions; InvalidOid when it has none.
Oid element_type(lua_State *L, int idx, int depth) {
    lua::need_stack(L, 6);
    if (depth == MAXDIM) return UNKNOWNOID;
    Oid known = InvalidOid;
    const lua_Integer length = highest_index(L, idx);
    if (length > static_cast<lua_Integer>(MaxArraySize)) return UNKNOWNOID;
    for (lua_Integer i = 1; i <= length && known != UNKNOWNOID; i++) {
        lua::check_interrupt(L);
        bool weak;
        lua_geti(L, idx, i);
        const int element = lua_gettop(L);
        if (lua_istable(L, element) && !is_row(L, element))
            known = common_type(known, element_type(L, element, depth + 1));
        else if (!lua_isnil(L, element))
            known = common_type(known, own_type(L, element, &weak));
        lua_pop(L, 1);
    }
    return known;
}

bool is_empty(lua_State *L, int idx) {
    lua_pushnil(L);
    if (lua_next(L, idx) == 0) return true;
    lua_pop(L, 2);
    return false;
}

Oid table_type(lua_State *L, int idx, bool *weak) {
    const Shape *shape = push_shape_of_row(L, idx);
    if (shape != nullptr) {
        const Oid type = shape->descriptor->tdtypeid;
        lua_pop(L, 1);
        // An anonymous row becomes whatever row type is wanted.
        *weak = type == RECORDOID;
        return type;
    }
    if (is_empty(L, idx)) return TEXTARRAYOID;
    const Oid element = element_type(L, idx, 0);
    if (!OidIsValid(element) || element == UNKNOWNOID) return JSONBOID;
    const Type *type = find(L, element, -1);
    return OidIsValid(type->array_oid) ? type->array_oid : JSONBOID;
}

} // namespace

Oid own_type(lua_State *L, int idx, bool *weak) {
    idx = lua_absindex(L, idx);
    *weak = true;
    const DatumObject *object;
    switch (lua_type(L, idx)) {
    case LUA_TNIL: return UNKNOWNOID;
    case LUA_TBOOLEAN: return BOOLOID;
    case LUA_TNUMBER: return lua_isinteger(L, idx) ? INT8OID : FLOAT8OID;
    case LUA_TSTRING: return TEXTOID;
    case LUA_TTABLE: return table_type(L, idx, weak);
    default: break;
    }
    object = object_at(L, idx);
    if (object == nullptr) no_type(L, idx);
    *weak = false;
    return object->type->oid;
}

} // namespace pllua_bg::types
