// Booleans, integers, OIDs and floats: no server call unless the Lua value is a string or a datum
// object. Owns nothing.
#include "types/helpers.h"

#include <cmath>
#include <limits>

namespace pllua_bg::types {

namespace {

// True when the value at idx is a whole number of type T, which *value then is.
template <class T> bool is_integer(lua_State *L, int idx, lua_Integer *value) {
    int whole = 0;
    *value = 0;
    if (lua_type(L, idx) == LUA_TNUMBER) *value = lua_tointegerx(L, idx, &whole);
    return whole && *value >= std::numeric_limits<T>::min() &&
           *value <= std::numeric_limits<T>::max();
}

} // namespace

void push_void(lua_State *L, const Type *, Datum) { lua_pushnil(L); }
Datum take_void(lua_State *, int, const Type *) { return 0; }

void push_bool(lua_State *L, const Type *, Datum value) { lua_pushboolean(L, DatumGetBool(value)); }

Datum take_bool(lua_State *L, int idx, const Type *type) {
    if (lua_isboolean(L, idx)) return BoolGetDatum(lua_toboolean(L, idx));
    if (lua_type(L, idx) == LUA_TNUMBER) return BoolGetDatum(lua_tonumber(L, idx) != 0);
    return take_generic(L, idx, type);
}

void push_int2(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt16(value));
}
void push_int4(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt32(value));
}
void push_int8(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt64(value));
}
void push_oid(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetObjectId(value));
}

Datum take_int2(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int16>(L, idx, &value)) return take_generic(L, idx, type);
    return Int16GetDatum(static_cast<int16>(value));
}

Datum take_int4(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int32>(L, idx, &value)) return take_generic(L, idx, type);
    return Int32GetDatum(static_cast<int32>(value));
}

Datum take_int8(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int64>(L, idx, &value)) return take_generic(L, idx, type);
    return Int64GetDatum(value);
}

Datum take_oid(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<Oid>(L, idx, &value)) return take_generic(L, idx, type);
    return ObjectIdGetDatum(static_cast<Oid>(value));
}

void push_float4(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat4(value));
}
void push_float8(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat8(value));
}

Datum take_float4(lua_State *L, int idx, const Type *type) {
    const double wide = lua_tonumber(L, idx);
    const float4 narrow = static_cast<float4>(wide);
    const bool fits = std::isinf(narrow) == std::isinf(wide) && (narrow == 0) == (wide == 0);
    if (lua_type(L, idx) != LUA_TNUMBER || !fits) return take_generic(L, idx, type);
    return Float4GetDatum(narrow);
}

Datum take_float8(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return Float8GetDatum(lua_tonumber(L, idx));
}

} // namespace pllua_bg::types
