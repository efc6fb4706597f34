// Arithmetic and comparison of numeric objects through the server's own functions. Owns nothing.
#include "types/numeric.h"
#include "types/cast.h"

#include "pg/guard.h"
#include "pg/params.h"

extern "C" {
#include "utils/datum.h"
#include "utils/numeric.h"
}

namespace pllua_bg::types {

namespace {

// Floats are mostly constants of the program: the numerics of the latest, found by their bits.
struct KeptFloat {
    uint64 bits; // 0: none; the number 0 is not kept
    char numeric[24];
};
constexpr int kKeptBits = 6;
KeptFloat kept_floats[1 << kKeptBits];

Datum float_datum(double number, bool *borrowed) {
    uint64 bits;
    memcpy(&bits, &number, sizeof bits);
    KeptFloat *kept = &kept_floats[bits * 0x9E3779B97F4A7C15ULL >> (64 - kKeptBits)];
    *borrowed = bits != 0 && kept->bits == bits;
    if (*borrowed) return PointerGetDatum(kept->numeric);
    const Datum value = pg::numeric_of_float(number);
    const Size size = VARSIZE(DatumGetPointer(value));
    if (size <= sizeof kept->numeric) {
        kept->bits = bits;
        memcpy(kept->numeric, DatumGetPointer(value), size);
    }
    return value;
}

} // namespace

const Type *numeric_type(lua_State *L) {
    static const Type *type;
    if (type == nullptr || type->stale) type = find(L, NUMERICOID, -1);
    return type;
}

NumericOperand numeric_operand(lua_State *L, int idx) {
    NumericOperand operand = {};
    const DatumObject *object;
    size_t length;
    switch (lua_type(L, idx)) {
    case LUA_TNUMBER:
        operand.kind = lua_isinteger(L, idx) ? NumericOperand::kInteger : NumericOperand::kFloat;
        operand.integer = lua_tointeger(L, idx);
        operand.number = lua_tonumber(L, idx);
        return operand;
    case LUA_TSTRING:
        operand.kind = NumericOperand::kText;
        operand.text = checked_string(L, idx, &length);
        return operand;
    case LUA_TUSERDATA:
        object = object_at(L, idx);
        if (object == nullptr) break;
        operand.kind = NumericOperand::kDatum;
        operand.datum = object->type->family == &kNumericFamily
                            ? object->value
                            : object_from_lua(L, idx, numeric_type(L));
        return operand;
    default: break;
    }
    mismatch(L, idx, numeric_type(L));
}

Datum numeric_datum(const NumericOperand &operand, bool *borrowed) {
    *borrowed = false;
    switch (operand.kind) {
    case NumericOperand::kInteger: return NumericGetDatum(int64_to_numeric(operand.integer));
    case NumericOperand::kFloat: return float_datum(operand.number, borrowed);
    case NumericOperand::kText:
        return DirectFunctionCall3(numeric_in, CStringGetDatum(operand.text),
                                   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
    default: break;
    }
    *borrowed = true;
    return operand.datum;
}

namespace {

Datum numeric_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TNUMBER) return generic_from_lua(L, idx, type);
    const NumericOperand operand = numeric_operand(L, idx);
    Datum value = 0;
    pg::call_own_subxact(L, [&] {
        bool borrowed;
        value = numeric_datum(operand, &borrowed);
        if (borrowed) value = datumCopy(value, false, -1);
    });
    return value;
}

void push_result(lua_State *L, Datum value) {
    push_object(L, numeric_type(L), value);
    pfree(DatumGetPointer(value));
}

template <PGFunction F> int binary(lua_State *L) {
    const NumericOperand left = numeric_operand(L, 1);
    const NumericOperand right = numeric_operand(L, 2);
    Datum result = 0;
    pg::call_own_subxact(L, [&] {
        bool left_borrowed, right_borrowed;
        const Datum a = numeric_datum(left, &left_borrowed);
        const Datum b = numeric_datum(right, &right_borrowed);
        result = DirectFunctionCall2(F, a, b);
        if (!left_borrowed) pfree(DatumGetPointer(a));
        if (!right_borrowed) pfree(DatumGetPointer(b));
    });
    push_result(L, result);
    return 1;
}

int negate(lua_State *L) {
    const NumericOperand operand = numeric_operand(L, 1);
    Datum result = 0;
    bool borrowed;
    pg::call_own_subxact(L, [&] {
        result = DirectFunctionCall1(numeric_uminus, numeric_datum(operand, &borrowed));
    });
    push_result(L, result);
    return 1;
}

int compare(lua_State *L) {
    const NumericOperand left = numeric_operand(L, 1);
    const NumericOperand right = numeric_operand(L, 2);
    // Two objects hold plain values: numeric_cmp neither allocates nor raises then.
    if (left.kind == NumericOperand::kDatum && right.kind == NumericOperand::kDatum)
        return DatumGetInt32(DirectFunctionCall2(numeric_cmp, left.datum, right.datum));
    int result = 0;
    pg::call_own_subxact(L, [&] {
        bool left_borrowed, right_borrowed;
        const Datum a = numeric_datum(left, &left_borrowed);
        const Datum b = numeric_datum(right, &right_borrowed);
        result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, a, b));
        if (!left_borrowed) pfree(DatumGetPointer(a));
        if (!right_borrowed) pfree(DatumGetPointer(b));
    });
    return result;
}

bool is_numeric(lua_State *L, int idx) {
    const DatumObject *object = object_at(L, idx);
    return object != nullptr && object->type->family == &kNumericFamily;
}

int equal(lua_State *L) {
    lua_pushboolean(L, is_numeric(L, 1) && is_numeric(L, 2) && compare(L) == 0);
    return 1;
}

int less(lua_State *L) {
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}

int less_equal(lua_State *L) {
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

constexpr luaL_Reg kMetamethods[] = {
    {"__add", binary<numeric_add>},
    {"__sub", binary<numeric_sub>},
    {"__mul", binary<numeric_mul>},
    {"__div", binary<numeric_div>},
    {"__mod", binary<numeric_mod>},
    {"__idiv", binary<numeric_div_trunc>},
    {"__pow", binary<numeric_power>},
    {"__unm", negate},
    {"__eq", equal},
    {"__lt", less},
    {"__le", less_equal},
    {nullptr, nullptr},
};

void add_metamethods(lua_State *L) {
    luaL_setfuncs(L, kMetamethods, 0);
    push_numeric_module(L);
    lua_setfield(L, -2, "__index");
}

} // namespace

const Family kNumericFamily = {.to_lua = push_object,
                               .from_lua = numeric_from_lua,
                               .tidy = true,
                               .object_name = "numeric",
                               .add_metamethods = add_metamethods};

} // namespace pllua_bg::types
