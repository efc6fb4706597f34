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
void float4_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat4(value));
}
void float8_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat8(value));
}

bool take_bool(lua_State *L, int idx, Datum *datum) {
    const int kind = lua_type(L, idx);
    if (kind != LUA_TBOOLEAN && kind != LUA_TNUMBER) return false;
    *datum = BoolGetDatum(kind == LUA_TBOOLEAN ? lua_toboolean(L, idx) : lua_tonumber(L, idx) != 0);
    return true;
}

bool take_int2(lua_State *L, int idx, Datum *datum) {
    lua_Integer value;
    if (!is_integer<int16>(L, idx, &value)) return false;
    *datum = Int16GetDatum(static_cast<int16>(value));
    return true;
}

bool take_int4(lua_State *L, int idx, Datum *datum) {
    lua_Integer value;
    if (!is_integer<int32>(L, idx, &value)) return false;
    *datum = Int32GetDatum(static_cast<int32>(value));
    return true;
}

bool take_int8(lua_State *L, int idx, Datum *datum) {
    lua_Integer value;
    if (!is_integer<int64>(L, idx, &value)) return false;
    *datum = Int64GetDatum(value);
    return true;
}

bool take_oid(lua_State *L, int idx, Datum *datum) {
    lua_Integer value;
    if (!is_integer<Oid>(L, idx, &value)) return false;
    *datum = ObjectIdGetDatum(static_cast<Oid>(value));
    return true;
}

bool take_float4(lua_State *L, int idx, Datum *datum) {
    if (lua_type(L, idx) != LUA_TNUMBER) return false;
    const double wide = lua_tonumber(L, idx);
    const float4 narrow = static_cast<float4>(wide);
    if (std::isinf(narrow) != std::isinf(wide) || (narrow == 0) != (wide == 0)) return false;
    *datum = Float4GetDatum(narrow);
    return true;
}

bool take_float8(lua_State *L, int idx, Datum *datum) {
    if (lua_type(L, idx) != LUA_TNUMBER) return false;
    *datum = Float8GetDatum(lua_tonumber(L, idx));
    return true;
}

// Strings and objects, and numbers that do not fit.
template <bool (*kTake)(lua_State *, int, Datum *)>
Datum from_lua(lua_State *L, int idx, const Type *type) {
    Datum value;
    return kTake(L, idx, &value) ? value : generic_from_lua(L, idx, type);
}

// Eight bytes take memory where a Datum has but four.
template <bool (*kTake)(lua_State *, int, Datum *)>
constexpr Family scalar_family(decltype(Family::to_lua) to_lua, bool by_value = true) {
    return {.to_lua = to_lua,
            .from_lua = from_lua<kTake>,
            .take_plain = by_value ? kTake : nullptr,
            .tidy = true};
}

} // namespace

const Family kVoidFamily = {.to_lua = void_to_lua, .from_lua = void_from_lua, .tidy = true};
const Family kBoolFamily = scalar_family<take_bool>(bool_to_lua);
const Family kInt2Family = scalar_family<take_int2>(int2_to_lua);
const Family kInt4Family = scalar_family<take_int4>(int4_to_lua);
const Family kInt8Family = scalar_family<take_int8>(int8_to_lua, FLOAT8PASSBYVAL);
const Family kOidFamily = scalar_family<take_oid>(oid_to_lua);
const Family kFloat4Family = scalar_family<take_float4>(float4_to_lua);
const Family kFloat8Family = scalar_family<take_float8>(float8_to_lua, FLOAT8PASSBYVAL);

} // namespace pllua_bg::types
