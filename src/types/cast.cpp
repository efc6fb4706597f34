// Values that are wanted as another type than their own. The casts themselves are those of
// pg/cast.h and pg/params.h. Owns nothing.
#include "types/cast.h"
#include "types/shape.h"

#include "pg/guard.h"
#include "pg/params.h"

extern "C" {
#include "utils/datum.h"
}

namespace pllua_bg::types {

namespace {

// A result of a cast, which may be its argument, in the caller's context.
Datum take_out(const Scratch &scratch, const pg::TypedValue &value, const Type *to) {
    leave_scratch(scratch);
    const Datum copy = value.isnull ? 0 : datumCopy(value.value, to->by_value, to->length);
    end_scratch(scratch);
    return copy;
}

void refuse_null(const pg::TypedValue &value) {
    if (value.isnull)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("the cast to type %s returned NULL", format_type_be(value.type))));
}

// The number or boolean at idx as a parameter.
pg::ParamValue scalar_value(lua_State *L, int idx) {
    if (lua_isboolean(L, idx)) return {BOOLOID, true, false, BoolGetDatum(lua_toboolean(L, idx))};
    if (lua_isinteger(L, idx)) return {INT8OID, true, false, Int64GetDatum(lua_tointeger(L, idx))};
    return {FLOAT8OID, true, false, Float8GetDatum(lua_tonumber(L, idx))};
}

// Converts by the rules for parameters.
Datum convert(lua_State *L, const pg::ParamValue &value, const Type *type, bool *isnull) {
    Datum result = 0;
    pg::Refusal refusal;
    bool done = false;
    pg::call_own_subxact(L, [&] {
        const Scratch scratch = enter_scratch();
        pg::TypedValue converted;
        done = pg::try_convert_param(&value, type->oid, &converted, &refusal);
        if (done && isnull == nullptr) refuse_null(converted);
        if (isnull != nullptr) *isnull = converted.isnull;
        result = take_out(scratch, done ? converted : pg::TypedValue{InvalidOid, true, 0}, type);
    });
    if (!done) lua::raise(L, refusal.sqlstate, "%s", refusal.message);
    return result;
}

// The row at idx by the casts of its type.
Datum convert_row(lua_State *L, int idx, const Type *type, bool *isnull) {
    bool weak, null;
    const Type *own = find(L, own_type(L, idx, &weak), -1);
    const Datum row = to_datum(L, idx, own, &null);
    const Datum result = convert(L, {own->oid, false, false, row}, type, isnull);
    free_value(own, row);
    return result;
}

// Casts as SQL's CAST does. Call inside pg::call. Errors: pg (42846, and what the cast raises).
Datum cast_value(const Type *from, Datum value, const Type *to) {
    const Scratch scratch = enter_scratch();
    pg::TypedValue cast = {from->oid, false, value};
    if (!pg::cast_value(&cast, to->oid, -1, pg::CastContext::kExplicit))
        ereport(ERROR, (errcode(ERRCODE_CANNOT_COERCE),
                        errmsg("cannot cast type %s to %s", format_type_be(from->oid),
                               format_type_be(to->oid))));
    refuse_null(cast);
    return take_out(scratch, cast, to);
}

} // namespace

Datum cast_length(const Type *type, Datum value) {
    const Scratch scratch = enter_scratch();
    pg::TypedValue cast = {type->oid, false, value};
    (void)pg::cast_value(&cast, type->oid, type->typmod, pg::CastContext::kAssignment);
    refuse_null(cast);
    return take_out(scratch, cast, type);
}

Datum object_from_lua(lua_State *L, int idx, const Type *type) {
    DatumObject *object = object_at(L, idx);
    if (object == nullptr) mismatch(L, idx, type);
    Datum value = object_value(L, idx, object);
    if (object->type->oid == type->oid)
        return object->value == value ? copy_value(L, object->type, value) : value;
    const Type *from = object->type;
    pg::call_own_subxact(L, [&] { value = cast_value(from, value, type); });
    return value;
}

Datum generic_from_lua(lua_State *L, int idx, const Type *type) {
    switch (lua_type(L, idx)) {
    case LUA_TSTRING: return input_from_lua(L, idx, type);
    case LUA_TBOOLEAN:
    case LUA_TNUMBER: return convert(L, scalar_value(L, idx), type, nullptr);
    case LUA_TUSERDATA: return object_from_lua(L, idx, type);
    case LUA_TTABLE:
        if (is_row(L, idx)) return convert_row(L, idx, type, nullptr);
        [[fallthrough]];
    default: mismatch(L, idx, type);
    }
}

Datum to_parameter(lua_State *L, int idx, const Type *type, bool *isnull) {
    DatumObject *object = object_at(L, idx);
    if (object != nullptr && object->type->oid != type->oid) {
        const Datum value = object_value(L, idx, object);
        return convert(L, {object->type->oid, false, false, value}, type, isnull);
    }
    const Type *inner = type;
    while (inner->inner != inner) inner = inner->inner;
    // What only a cast can convert may come out as NULL.
    const int kind = lua_type(L, idx);
    if ((kind == LUA_TNUMBER || kind == LUA_TBOOLEAN) && inner->from_lua == generic_from_lua)
        return convert(L, scalar_value(L, idx), type, isnull);
    if (inner->from_lua == generic_from_lua && is_row(L, idx))
        return convert_row(L, idx, type, isnull);
    return to_datum(L, idx, type, isnull);
}

const Family kGenericFamily = {.to_lua = push_object, .from_lua = generic_from_lua};

} // namespace pllua_bg::types
