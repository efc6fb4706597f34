// Booleans, integers, OIDs and floats: no server call unless the Lua value is a string or a datum
// object. Owns nothing.
#include "types/values.h"

#include <cmath>
#include <limits>

namespace pllua_bg::types {

namespace {

// The integer of a Lua number within the bounds. Errors: lua (22003).
lua_Integer checked_integer(lua_State *L, int idx, lua_Integer low, lua_Integer high,
                            const char *what) {
    lua_Integer value;
    if (lua_isinteger(L, idx)) {
        value = lua_tointeger(L, idx);
    } else {
        const lua_Number number = lua_tonumber(L, idx);
        if (std::isfinite(number) && number != std::floor(number))
            lua::raise(L, "22003", "%f has a fraction and cannot be converted to type %s", number,
                       what);
        if (!lua_numbertointeger(number, &value)) out_of_range(L, what);
    }
    if (value < low || value > high) out_of_range(L, what);
    return value;
}

template <class T> lua_Integer integer_of(lua_State *L, int idx, const char *what) {
    return checked_integer(L, idx, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                           what);
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
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return Int16GetDatum(static_cast<int16>(integer_of<int16>(L, idx, "smallint")));
}

Datum take_int4(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return Int32GetDatum(static_cast<int32>(integer_of<int32>(L, idx, "integer")));
}

Datum take_int8(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return Int64GetDatum(integer_of<int64>(L, idx, "bigint"));
}

Datum take_oid(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return ObjectIdGetDatum(static_cast<Oid>(integer_of<Oid>(L, idx, "oid")));
}

void push_float4(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat4(value));
}
void push_float8(lua_State *L, const Type *, Datum value) {
    lua_pushnumber(L, DatumGetFloat8(value));
}

Datum take_float4(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    const double wide = lua_tonumber(L, idx);
    const float4 narrow = static_cast<float4>(wide);
    if (std::isinf(narrow) && !std::isinf(wide))
        lua::raise(L, "22003", "value out of range: overflow");
    if (narrow == 0 && wide != 0) lua::raise(L, "22003", "value out of range: underflow");
    return Float4GetDatum(narrow);
}

Datum take_float8(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return take_generic(L, idx, type);
    return Float8GetDatum(lua_tonumber(L, idx));
}

} // namespace pllua_bg::types
