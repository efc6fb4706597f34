// Booleans, integers, OIDs and floats: no server call unless the Lua value is a string or a datum
// object. Owns nothing.
#include "types/cast.h"
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

void void_to_lua(lua_State *L, const Type *, Datum) { lua_pushnil(L); }
Datum void_from_lua(lua_State *, int, const Type *) { return 0; }

void bool_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushboolean(L, DatumGetBool(value));
}

Datum bool_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_isboolean(L, idx)) return BoolGetDatum(lua_toboolean(L, idx));
    if (lua_type(L, idx) == LUA_TNUMBER) return BoolGetDatum(lua_tonumber(L, idx) != 0);
    return generic_from_lua(L, idx, type);
}

void int2_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt16(value));
}
void int4_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt32(value));
}
void int8_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetInt64(value));
}
void oid_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushinteger(L, DatumGetObjectId(value));
}

Datum int2_from_lua(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int16>(L, idx, &value)) return generic_from_lua(L, idx, type);
    return Int16GetDatum(static_cast<int16>(value));
}

Datum int4_from_lua(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int32>(L, idx, &value)) return generic_from_lua(L, idx, type);
    return Int32GetDatum(static_cast<int32>(value));
}

Datum int8_from_lua(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<int64>(L, idx, &value)) return generic_from_lua(L, idx, type);
    return Int64GetDatum(value);
}

Datum oid_from_lua(lua_State *L, int idx, const Type *type) {
    lua_Integer value;
    if (!is_integer<Oid>(L, idx, &value)) return generic_from_lua(L, idx, type);
    return ObjectIdGetDatum(static_cast<Oid>(value));
}

void float4_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat4(value));
}
void float8_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat8(value));
}

Datum float4_from_lua(lua_State *L, int idx, const Type *type) {
    const double wide = lua_tonumber(L, idx);
    const float4 narrow = static_cast<float4>(wide);
    const bool fits = std::isinf(narrow) == std::isinf(wide) && (narrow == 0) == (wide == 0);
    if (lua_type(L, idx) != LUA_TNUMBER || !fits) return generic_from_lua(L, idx, type);
    return Float4GetDatum(narrow);
}

Datum float8_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return generic_from_lua(L, idx, type);
    return Float8GetDatum(lua_tonumber(L, idx));
}

} // namespace

const Family kVoidFamily = {.to_lua = void_to_lua, .from_lua = void_from_lua, .tidy = true};
const Family kBoolFamily = {.to_lua = bool_to_lua, .from_lua = bool_from_lua, .tidy = true};
const Family kInt2Family = {.to_lua = int2_to_lua, .from_lua = int2_from_lua, .tidy = true};
const Family kInt4Family = {.to_lua = int4_to_lua, .from_lua = int4_from_lua, .tidy = true};
const Family kInt8Family = {.to_lua = int8_to_lua, .from_lua = int8_from_lua, .tidy = true};
const Family kOidFamily = {.to_lua = oid_to_lua, .from_lua = oid_from_lua, .tidy = true};
const Family kFloat4Family = {.to_lua = float4_to_lua, .from_lua = float4_from_lua, .tidy = true};
const Family kFloat8Family = {.to_lua = float8_to_lua, .from_lua = float8_from_lua, .tidy = true};

} // namespace pllua_bg::types
