// Exact decimals between Lua and the server: operands of any kind, and reading a numeric's digits
// without the server. Owns nothing.
#pragma once

#include "types/datum_object.h"

namespace pllua_bg::types {

// Reads the stored form of a numeric (the comment at the head of src/backend/utils/adt/numeric.c);
// neither allocates nor raises. The datum is plain or has a short header. True when the value is an
// integer that fits. numeric_digits.cpp
bool numeric_to_integer(Datum numeric, lua_Integer *result);
double numeric_to_double(Datum numeric);
bool numeric_is_nan(Datum numeric);
// Pushes an integer when the value is one, else a float. Errors: lua (22003).
void push_number(lua_State *L, Datum numeric);

// An operand of arithmetic before the server has seen it.
struct NumericOperand {
    enum Kind { kDatum, kInteger, kFloat, kText } kind;
    Datum datum;
    lua_Integer integer;
    double number;
    const char *text;
};

// The plan of numeric. Errors: lua.
const Type *numeric_type(lua_State *L);
// The operand at idx. Errors: lua (42804).
NumericOperand numeric_operand(lua_State *L, int idx);
// Its datum, new in CurrentMemoryContext unless *borrowed.
// Call inside pg::call. Errors: pg (22P02).
Datum numeric_datum(const NumericOperand &operand, bool *borrowed);

// Pushes the module pllua.numeric, which is also the __index of numeric objects.
// numeric_module.cpp. Errors: lua.
void push_numeric_module(lua_State *L);

} // namespace pllua_bg::types
