// Reads numerics as they are stored, so that turning them into Lua numbers costs no call of the
// server. Owns nothing.
#include "types/numeric.h"

#include "pg/guard.h"

#include <cmath>
#include <cstdio>
#include <limits>

extern "C" {
#include "utils/fmgrprotos.h"
}

namespace pllua_bg::types {

namespace {

// Bits of the first 16-bit word; digits are base 10000, most significant first,
// the first of weight 10000^weight.
constexpr uint16 kSpecialMask = 0xC000;
constexpr uint16 kNaN = 0xC000;
constexpr uint16 kPositiveInfinity = 0xD000;
constexpr uint16 kNegativeInfinity = 0xF000;
constexpr uint16 kShort = 0x8000;
constexpr uint16 kShortNegative = 0x2000;
constexpr uint16 kShortWeightSign = 0x0040;
constexpr uint16 kShortWeightMask = 0x003F;
constexpr uint16 kLongNegative = 0x4000;
constexpr int kMaxGroups = 200;

struct Digits {
    uint16 special; // 0, or one of the special values
    bool negative;
    int weight;
    int count;
    const char *base;

    int operator[](int i) const {
        int16 digit;
        memcpy(&digit, base + i * sizeof digit, sizeof digit);
        return digit;
    }
};

Digits read_digits(Datum numeric) {
    const char *stored = VARDATA_ANY(DatumGetPointer(numeric));
    const Size size = VARSIZE_ANY_EXHDR(DatumGetPointer(numeric));
    Digits digits = {};
    uint16 head;
    memcpy(&head, stored, sizeof head);
    Size skip = sizeof head;
    if ((head & kSpecialMask) == kSpecialMask) {
        digits.special = head & 0xF000;
        return digits;
    }
    if ((head & kShort) != 0) {
        digits.negative = (head & kShortNegative) != 0;
        digits.weight = (head & kShortWeightSign) != 0
                            ? (~kShortWeightMask | (head & kShortWeightMask))
                            : (head & kShortWeightMask);
    } else {
        int16 weight;
        memcpy(&weight, stored + sizeof head, sizeof weight);
        digits.negative = (head & kSpecialMask) == kLongNegative;
        digits.weight = weight;
        skip += sizeof weight;
    }
    digits.count = static_cast<int>((size - skip) / sizeof(int16));
    digits.base = stored + skip;
    return digits;
}

} // namespace

bool numeric_is_nan(Datum numeric) { return read_digits(numeric).special == kNaN; }

bool numeric_to_integer(Datum numeric, lua_Integer *result) {
    const Digits digits = read_digits(numeric);
    if (digits.special != 0) return false;
    lua_Integer value = 0; // negative, whose range is the wider one
    for (int i = 0; i <= digits.weight; i++) {
        const int digit = i < digits.count ? digits[i] : 0;
        if (__builtin_mul_overflow(value, 10000, &value)) return false;
        if (__builtin_sub_overflow(value, digit, &value)) return false;
    }
    for (int i = Max(digits.weight + 1, 0); i < digits.count; i++)
        if (digits[i] != 0) return false;
    if (!digits.negative && value == std::numeric_limits<lua_Integer>::min()) return false;
    *result = digits.negative ? value : -value;
    return true;
}

double numeric_to_double(Datum numeric) {
    const Digits digits = read_digits(numeric);
    if (digits.special == kNaN) return std::numeric_limits<double>::quiet_NaN();
    if (digits.special == kPositiveInfinity) return std::numeric_limits<double>::infinity();
    if (digits.special == kNegativeInfinity) return -std::numeric_limits<double>::infinity();
    if (digits.count == 0) return 0;
    char text[kMaxGroups * 4 + 32];
    char *out = text;
    if (digits.negative) *out++ = '-';
    const int shown = Min(digits.count, kMaxGroups);
    for (int i = 0; i < shown; i++) {
        int digit = digits[i];
        for (int place = 1000; place > 0; place /= 10)
            *out++ = static_cast<char>('0' + digit / place % 10);
    }
    int exponent = 4 * (digits.weight - shown + 1);
    // What is cut off can only break a tie, and 800 digits are more than any tie of a double has.
    if (shown < digits.count) {
        *out++ = '1';
        exponent--;
    }
    snprintf(out, 24, "e%d", exponent);
    return strtod(text, nullptr);
}

void push_number(lua_State *L, Datum numeric) {
    lua_Integer integer;
    if (numeric_to_integer(numeric, &integer)) {
        lua_pushinteger(L, integer);
        return;
    }
    const double number = numeric_to_double(numeric);
    // where it is no infinity the server says so
    if (std::isinf(number))
        pg::call_own_subxact(L, [&] { (void)DirectFunctionCall1(numeric_float8, numeric); });
    lua_pushnumber(L, number);
}

} // namespace pllua_bg::types
