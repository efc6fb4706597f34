// The module pllua.numeric: functions on decimals that take numerics, Lua numbers and strings
// alike. Owns the module table, in the registry of each state.
#include "types/numeric.h"

#include "pg/guard.h"

extern "C" {
#include "utils/numeric.h"
}

#include <limits>

namespace pllua_bg::types {

namespace {

const char kModule = 0;

void expect_arguments(lua_State *L, int most) {
    luaL_checkany(L, 1);
    if (lua_gettop(L) > most) luaL_argerror(L, most + 1, "none expected");
}

// Pushes F of the operand at 1 as an object. Errors: lua.
template <class F> int result_of(lua_State *L, F function) {
    const NumericOperand operand = numeric_operand(L, 1);
    Datum source = 0, result = 0;
    bool borrowed = false;
    pg::call_own_subxact(L, [&] {
        source = numeric_datum(operand, &borrowed);
        result = function(source);
    });
    push_object(L, numeric_type(L), result);
    if (result != source) pfree(DatumGetPointer(result));
    if (!borrowed) pfree(DatumGetPointer(source));
    return 1;
}

template <PGFunction F> int unary(lua_State *L) {
    expect_arguments(L, 1);
    return result_of(L, [](Datum value) { return DirectFunctionCall1(F, value); });
}

template <PGFunction F> int rounding(lua_State *L) {
    expect_arguments(L, 2);
    const int scale = static_cast<int>(luaL_optinteger(L, 2, 0));
    return result_of(
        L, [=](Datum value) { return DirectFunctionCall2(F, value, Int32GetDatum(scale)); });
}

int to_numeric(lua_State *L) {
    expect_arguments(L, 1);
    return result_of(L, [](Datum value) { return value; });
}

// Apart from to_numeric, so that messages name the right function.
int new_numeric(lua_State *L) { return to_numeric(L); }

int logarithm(lua_State *L) {
    expect_arguments(L, 2);
    if (lua_isnoneornil(L, 2))
        return result_of(L, [](Datum value) { return DirectFunctionCall1(numeric_ln, value); });
    const NumericOperand base = numeric_operand(L, 2);
    return result_of(L, [&base](Datum value) {
        bool borrowed;
        return DirectFunctionCall2(numeric_log, numeric_datum(base, &borrowed), value);
    });
}

// The operand at 1 as a datum that lives until the next server call. Errors: lua.
Datum operand_datum(lua_State *L) {
    const NumericOperand operand = numeric_operand(L, 1);
    if (operand.kind == NumericOperand::kDatum) return operand.datum;
    Datum value = 0;
    bool borrowed;
    pg::call_own_subxact(L, [&] { value = numeric_datum(operand, &borrowed); });
    return value;
}

int to_number(lua_State *L) {
    expect_arguments(L, 2);
    push_number(L, operand_datum(L));
    return 1;
}

int to_integer(lua_State *L) {
    expect_arguments(L, 1);
    lua_Integer integer;
    if (numeric_to_integer(operand_datum(L), &integer))
        lua_pushinteger(L, integer);
    else
        luaL_pushfail(L);
    return 1;
}

int is_nan(lua_State *L) {
    expect_arguments(L, 1);
    lua_pushboolean(L, numeric_is_nan(operand_datum(L)));
    return 1;
}

int equal(lua_State *L) {
    luaL_checkany(L, 2);
    const NumericOperand left = numeric_operand(L, 1);
    const NumericOperand right = numeric_operand(L, 2);
    bool result = false;
    pg::call_own_subxact(L, [&] {
        bool borrowed;
        const Datum a = numeric_datum(left, &borrowed);
        result = DatumGetBool(DirectFunctionCall2(numeric_eq, a, numeric_datum(right, &borrowed)));
    });
    lua_pushboolean(L, result);
    return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"abs", unary<numeric_abs>},
    {"ceil", unary<numeric_ceil>},
    {"exp", unary<numeric_exp>},
    {"floor", unary<numeric_floor>},
    {"sign", unary<numeric_sign>},
    {"sqrt", unary<numeric_sqrt>},
    {"round", rounding<numeric_round>},
    {"trunc", rounding<numeric_trunc>},
    {"log", logarithm},
    {"new", new_numeric},
    {"to", to_numeric},
    {"tonumber", to_number},
    {"tointeger", to_integer},
    {"isnan", is_nan},
    {"equal", equal},
    {nullptr, nullptr},
};

void set_constant(lua_State *L, const char *name, lua_Integer value) {
    lua_pushcfunction(L, to_numeric);
    lua_pushinteger(L, value);
    lua_call(L, 1, 1);
    lua_setfield(L, -2, name);
}

} // namespace

void push_numeric_module(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kModule) == LUA_TTABLE) return;
    lua_pop(L, 1);
    luaL_newlib(L, kFunctions);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kModule);
    // Making numerics makes their metatable, which asks for this table again.
    set_constant(L, "maxinteger", std::numeric_limits<lua_Integer>::max());
    set_constant(L, "mininteger", std::numeric_limits<lua_Integer>::min());
}

int open_numeric(lua_State *L) {
    push_numeric_module(L);
    return 1;
}

} // namespace pllua_bg::types
