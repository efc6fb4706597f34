// table.sort. Without a comparison function, arrays of numbers or of strings are sorted as plain
// C++ values: faster than Lua's own, and with a look at interrupts between comparisons. All else
// goes to Lua's own, where the comparison function is either the caller's (Lua code, so hooks run)
// or less() below.
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>

#include "lua/interrupt.h"
#include "lua/stack.h"
#include "lua/stock.h"
#include "lua/tablelib/tablelib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// Arrays up to this length are sorted in a buffer on the C stack.
constexpr lua_Integer kSmall = 64;
constexpr int kBudget = 1024; // comparisons between two looks at the interrupt flag

struct TextRef {
    const char *begin;
    size_t size;
    lua_Integer index; // where it was
};

// A number of either subtype.
struct Number {
    bool is_integer;
    union {
        lua_Integer integer;
        lua_Number real;
    };
};

enum class Kind { kOther, kIntegers, kFloats, kNumbers, kTexts };

Kind kind_of_value(lua_State *L, int idx) {
    switch (lua_type(L, idx)) {
    case LUA_TSTRING: return Kind::kTexts;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) return Kind::kIntegers;
        // Not-a-number has no place in an order.
        return lua_tonumber(L, idx) == lua_tonumber(L, idx) ? Kind::kFloats : Kind::kOther;
    default: return Kind::kOther;
    }
}

bool is_number(Kind kind) {
    return kind == Kind::kIntegers || kind == Kind::kFloats || kind == Kind::kNumbers;
}

Kind kind_of_array(lua_State *L, lua_Integer n) {
    Kind kind = Kind::kOther;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        Kind here = kind_of_value(L, -1);
        lua_pop(L, 1);
        if (i == 1)
            kind = here;
        else if (here != kind)
            kind = is_number(here) && is_number(kind) ? Kind::kNumbers : Kind::kOther;
        if (kind == Kind::kOther) return kind;
        if ((i & (kBudget - 1)) == 0) check_interrupt(L);
    }
    return kind;
}

// Room for n values: the small buffer, or a userdata that stays on the stack.
template <class T> T *room_for(lua_State *L, T *small, lua_Integer n) {
    if (n <= kSmall) return small;
    return static_cast<T *>(lua_newuserdatauv(L, static_cast<size_t>(n) * sizeof(T), 0));
}

// Whether an integer lies below a float that is a number.
bool is_below(lua_Integer left, lua_Number right) {
    constexpr lua_Number kTwoTo63 = 9223372036854775808.0;
    if (right >= kTwoTo63) return true;
    if (right <= -kTwoTo63) return false;
    return left < static_cast<lua_Integer>(ceil(right));
}

bool is_above(lua_Integer left, lua_Number right) {
    constexpr lua_Number kTwoTo63 = 9223372036854775808.0;
    if (right >= kTwoTo63) return false;
    if (right < -kTwoTo63) return true;
    return left > static_cast<lua_Integer>(floor(right));
}

bool operator<(const Number &left, const Number &right) {
    if (left.is_integer)
        return right.is_integer ? left.integer < right.integer : is_below(left.integer, right.real);
    return right.is_integer ? is_above(right.integer, left.real) : left.real < right.real;
}

void get(lua_State *L, int idx, lua_Integer *value) { *value = lua_tointeger(L, idx); }

void get(lua_State *L, int idx, lua_Number *value) { *value = lua_tonumber(L, idx); }

void get(lua_State *L, int idx, Number *value) {
    value->is_integer = lua_isinteger(L, idx);
    if (value->is_integer)
        value->integer = lua_tointeger(L, idx);
    else
        value->real = lua_tonumber(L, idx);
}

void push(lua_State *L, lua_Integer value) { lua_pushinteger(L, value); }

void push(lua_State *L, lua_Number value) { lua_pushnumber(L, value); }

void push(lua_State *L, const Number &value) {
    if (value.is_integer)
        lua_pushinteger(L, value.integer);
    else
        lua_pushnumber(L, value.real);
}

template <class T> void sort_numbers(lua_State *L, lua_Integer n) {
    T small[kSmall];
    T *values = room_for(L, small, n);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        get(L, -1, &values[i]);
        lua_pop(L, 1);
    }
    int budget = kBudget;
    std::sort(values, values + n, [L, &budget](const T &left, const T &right) {
        if (--budget == 0) {
            budget = kBudget;
            check_interrupt(L);
        }
        return left < right;
    });
    for (lua_Integer i = 0; i < n; i++) {
        push(L, values[i]);
        lua_rawseti(L, 1, i + 1);
    }
}

// The order of two strings as `<` sees it (strcoll, zeros allowed): below, at or above 0.
int compare_texts(const char *left, size_t left_size, const char *right, size_t right_size) {
    if (left == right && left_size == right_size) return 0;
    for (;;) {
        int order = strcoll(left, right);
        if (order != 0) return order;
        // Equal up to a zero, which may be the end or a part of either.
        size_t part = strlen(left);
        if (part == right_size) return part == left_size ? 0 : 1;
        if (part == left_size) return -1;
        left += part + 1;
        left_size -= part + 1;
        right += part + 1;
        right_size -= part + 1;
    }
}

// The strings are held by a copy of the array while it is sorted:
// what an interrupt runs may change the array.
void sort_texts(lua_State *L, lua_Integer n) {
    TextRef small[kSmall];
    lua_createtable(L, static_cast<int>(n), 0);
    int copy = lua_gettop(L);
    TextRef *texts = room_for(L, small, n);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        texts[i].begin = lua_tolstring(L, -1, &texts[i].size);
        texts[i].index = i + 1;
        lua_rawseti(L, copy, i + 1);
    }
    size_t budget = 1 << 16; // bytes compared
    std::sort(texts, texts + n, [L, &budget](const TextRef &left, const TextRef &right) {
        size_t cost = std::min(left.size, right.size) + 64;
        if (cost >= budget) {
            budget = 1 << 16;
            check_interrupt(L);
        } else {
            budget -= cost;
        }
        return compare_texts(left.begin, left.size, right.begin, right.size) < 0;
    });
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, copy, texts[i].index);
        lua_rawseti(L, 1, i + 1);
    }
}

// `a < b`, with a look at interrupts.
int less(lua_State *L) {
    check_interrupt(L);
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

int sort(lua_State *L) {
    check_stack(L);
    if (lua_type(L, 1) != LUA_TTABLE || !lua_isnoneornil(L, 2)) return run_guarded(L);
    lua_settop(L, 1);
    bool plain = !lua_getmetatable(L, 1);
    lua_settop(L, 1);
    auto n = static_cast<lua_Integer>(lua_rawlen(L, 1));
    if (plain && n < 2) return 0;
    Kind kind = plain && n < INT_MAX ? kind_of_array(L, n) : Kind::kOther;
    switch (kind) {
    case Kind::kIntegers: sort_numbers<lua_Integer>(L, n); return 0;
    case Kind::kFloats: sort_numbers<lua_Number>(L, n); return 0;
    case Kind::kTexts: sort_texts(L, n); return 0;
    case Kind::kNumbers: sort_numbers<Number>(L, n); return 0;
    case Kind::kOther: break;
    }
    lua_pushcfunction(L, less);
    return run_guarded(L);
}

} // namespace

void set_sort_function(lua_State *L) {
    static const luaL_Reg kGuards[] = {{"sort", sort}, {nullptr, nullptr}};
    set_guards(L, kGuards);
}

} // namespace pllua_bg::lua
