// What becomes of a parameter's value when its statement wants another type. See params.h for the
// contracts. Owns nothing. src/types makes the same of values directly where no server function is
// needed, and asks here for all else.
#include "pg/params.h"

#include "pg/hooks.h"

#include "pg/cast.h"

#include <cfloat>
#include <cmath>
#include <cstdio>

extern "C" {
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace pllua_bg::pg {

namespace {

const char *lua_name(Oid type) {
    switch (type) {
    case BOOLOID: return "boolean";
    case INT8OID:
    case FLOAT8OID: return "number";
    default: return "string";
    }
}

// Fills *refusal; false.
template <class... Args>
bool refuse(Refusal *refusal, const char *sqlstate, const char *format, Args... args) {
    refusal->sqlstate = sqlstate;
    pg_snprintf(refusal->message, sizeof refusal->message, format, args...);
    return false;
}

bool refuse_type(Refusal *refusal, const ParamValue *param, Oid type) {
    if (param->weak)
        return refuse(refusal, "42804", "cannot convert a Lua %s to type %s", lua_name(param->type),
                      format_type_be(type));
    return refuse(refusal, "42804", "cannot convert a value of type %s to type %s",
                  format_type_be(param->type), format_type_be(type));
}

bool refuse_range(Refusal *refusal, Oid type) {
    return refuse(refusal, "22003", "%s out of range", format_type_be(type));
}

// The int64 that a float is; false when it is none.
bool is_int64(double number, int64 *value) {
    constexpr double kLimit = -static_cast<double>(PG_INT64_MIN);
    if (!(number >= -kLimit && number < kLimit) || number != floor(number)) return false;
    *value = static_cast<int64>(number);
    return true;
}

// The integer a number stands for, as the type.
bool to_integer(const ParamValue *param, Oid type, Datum *result, Refusal *refusal) {
    int64 value = DatumGetInt64(param->value);
    if (param->type == FLOAT8OID) {
        const double number = DatumGetFloat8(param->value);
        if (std::isfinite(number) && number != floor(number))
            return refuse(refusal, "22003",
                          "%.14g has a fraction and cannot be converted to type %s", number,
                          format_type_be(type));
        if (!is_int64(number, &value)) return refuse_range(refusal, type);
    }
    int64 low = PG_INT64_MIN, high = PG_INT64_MAX;
    if (type == INT2OID) low = PG_INT16_MIN, high = PG_INT16_MAX;
    if (type == INT4OID) low = PG_INT32_MIN, high = PG_INT32_MAX;
    if (type == OIDOID) low = 0, high = PG_UINT32_MAX;
    if (value < low || value > high) return refuse_range(refusal, type);
    switch (type) {
    case INT2OID: *result = Int16GetDatum(static_cast<int16>(value)); break;
    case INT4OID: *result = Int32GetDatum(static_cast<int32>(value)); break;
    case OIDOID: *result = ObjectIdGetDatum(static_cast<Oid>(value)); break;
    default: *result = Int64GetDatum(value);
    }
    return true;
}

bool to_float4(double wide, Datum *result, Refusal *refusal) {
    const float4 narrow = static_cast<float4>(wide);
    if (std::isinf(narrow) && !std::isinf(wide))
        return refuse(refusal, "22003", "%s", "value out of range: overflow");
    if (narrow == 0 && wide != 0)
        return refuse(refusal, "22003", "%s", "value out of range: underflow");
    *result = Float4GetDatum(narrow);
    return true;
}

// A number as Lua writes it.
Datum number_as_text(const ParamValue *param) {
    char text[64];
    if (param->type == INT8OID) {
        snprintf(text, sizeof text, INT64_FORMAT, DatumGetInt64(param->value));
    } else {
        snprintf(text, sizeof text, "%.14g", DatumGetFloat8(param->value));
        if (text[strspn(text, "-0123456789")] == '\0') strlcat(text, ".0", sizeof text);
    }
    return PointerGetDatum(cstring_to_text(text));
}

bool takes_numbers(Oid type) {
    switch (type) {
    case BOOLOID:
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
    case FLOAT4OID:
    case FLOAT8OID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case REFCURSOROID: return true;
    default: return false;
    }
}

// A Lua number as one of those types.
bool number_to(const ParamValue *param, Oid type, Datum *result, Refusal *refusal) {
    const bool whole = param->type == INT8OID;
    const int64 integer = whole ? DatumGetInt64(param->value) : 0;
    const double number = whole ? static_cast<double>(integer) : DatumGetFloat8(param->value);
    switch (type) {
    case BOOLOID: *result = BoolGetDatum(number != 0); return true;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID: return to_integer(param, type, result, refusal);
    case FLOAT4OID: return to_float4(number, result, refusal);
    case FLOAT8OID: *result = Float8GetDatum(number); return true;
    case NUMERICOID:
        *result = whole ? NumericGetDatum(int64_to_numeric(integer)) : numeric_of_float(number);
        return true;
    default: *result = number_as_text(param); return true;
    }
}

// A string as any type: what an untyped literal becomes. Bytes are text unless bytes are wanted.
Datum string_to(const ParamValue *param, Oid type) {
    if (param->type == UNKNOWNOID) {
        Oid function, element;
        getTypeInputInfo(type, &function, &element);
        return OidInputFunctionCall(function, DatumGetCString(param->value), element, -1);
    }
    if (param->type == BYTEAOID && type == BYTEAOID) return param->value;
    struct varlena *bytes = PG_DETOAST_DATUM_PACKED(param->value);
    if (param->type == BYTEAOID)
        pg_verifymbstr(VARDATA_ANY(bytes), static_cast<int>(VARSIZE_ANY_EXHDR(bytes)), false);
    if (type == TEXTOID) return PointerGetDatum(bytes);
    Oid function, element;
    getTypeInputInfo(type, &function, &element);
    return OidInputFunctionCall(function, text_to_cstring(reinterpret_cast<text *>(bytes)), element,
                                -1);
}

bool is_json(Oid type) { return type == JSONOID || type == JSONBOID; }

bool is_string(Oid type) { return type == UNKNOWNOID || type == TEXTOID || type == BYTEAOID; }

// A value that is no JSON yet as JSON. A number of Lua is written as Lua code has it; what a datum
// is becomes jsonb first.
void to_json(TypedValue *value, bool as_text) {
    call_function(as_text ? F_TO_JSON : F_TO_JSONB, value, as_text ? JSONOID : JSONBOID);
}

// A number or boolean, where an array is wanted, is its only element.
bool to_array(const ParamValue *param, Oid element, Datum *result, Refusal *refusal) {
    TypedValue value;
    int16 length;
    bool by_value;
    char align;
    if (!try_convert_param(param, element, &value, refusal)) return false;
    if (value.isnull)
        return refuse(refusal, "22004", "the cast to type %s returned NULL",
                      format_type_be(element));
    get_typlenbyvalalign(element, &length, &by_value, &align);
    *result = PointerGetDatum(construct_array(&value.value, 1, element, length, by_value, align));
    return true;
}

// A value of Lua as the type where no cast is needed; where one is, its own type is left.
bool convert_weak(const ParamValue *param, Oid base, TypedValue *value, Refusal *refusal) {
    const bool is_number = param->type == INT8OID || param->type == FLOAT8OID;
    const Oid element = get_element_type(base);
    const bool wraps = OidIsValid(element) && (is_number || param->type == BOOLOID);
    if (is_string(param->type))
        value->value = string_to(param, base);
    else if (wraps && !to_array(param, element, &value->value, refusal))
        return false;
    else if (!wraps && (!is_number || !takes_numbers(base)))
        return true;
    else if (!wraps && !number_to(param, base, &value->value, refusal))
        return false;
    value->type = base;
    return true;
}

} // namespace

Datum numeric_of_float(double number) {
    int64 integer;
    if (is_int64(number, &integer)) return NumericGetDatum(int64_to_numeric(integer));
    if (!std::isfinite(number)) return DirectFunctionCall1(float8_numeric, Float8GetDatum(number));
    char text[DBL_MAX_10_EXP + 8]; // as long as any double without a fraction
    if (number != floor(number)) {
        text[double_to_shortest_decimal_bufn(number, text)] = '\0';
    } else {
        // What was written as 1e23 has few digits; a power of two has all of them.
        snprintf(text, sizeof text, "%.*g", DBL_DIG, number);
        if (strtod(text, nullptr) != number) snprintf(text, sizeof text, "%.0f", number);
    }
    return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
                               Int32GetDatum(-1));
}

bool try_convert_param(const ParamValue *param, Oid type, TypedValue *value, Refusal *refusal) {
    *value = {param->type, param->isnull, param->value};
    if (param->table) {
        value->value = hooks.convert_table(param->value, type, &value->isnull);
        value->type = type;
    }
    if (value->type == type) return true;
    const Oid base = getBaseType(type);
    if (param->isnull)
        value->type = base;
    else if (is_json(base) && !is_json(param->type) && !is_string(param->type))
        to_json(value, param->weak && base == JSONOID);
    else if (param->weak && param->type != base && !convert_weak(param, base, value, refusal))
        return false;
    // A domain may refuse NULL, and has the length of its base to be applied.
    return value->type == type || cast_value(value, type, -1, CastContext::kAssignment) ||
           refuse_type(refusal, param, param->weak ? base : type);
}

void bind_param(const ParamValue *param, ParamExternData *bound) {
    TypedValue value;
    Refusal refusal;
    if (!try_convert_param(param, bound->ptype, &value, &refusal)) {
        const char *state = refusal.sqlstate;
        ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                        errmsg_internal("%s", refusal.message)));
    }
    bound->value = value.value;
    bound->isnull = value.isnull;
    bound->pflags = PARAM_FLAG_CONST;
}

} // namespace pllua_bg::pg
