// The functions of the string library whose time grows with the text alone: rep, upper, lower,
// reverse.
#include <cstring>

#include "lua/interrupt.h"
#include "lua/state.h"
#include "lua/strlib.h"
#include "lua/strlib_match.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// Bytes handled between two looks at the interrupt flag.
constexpr std::size_t kStretch = 1 << 20;
// rep joins at most this many pieces at once.
constexpr std::size_t kMaxPieces = 120;
// Results up to this size are written in one go.
constexpr std::size_t kSmall = 1 << 16;

// Fills target with copies of its first `unit` bytes, which are there already.
void repeat_bytes(lua_State *L, char *target, std::size_t unit, std::size_t size) {
    for (std::size_t done = unit; done < size;) {
        std::size_t step = done < size - done ? done : size - done;
        // A whole number of units, so that every copy begins where a unit does.
        if (step > kStretch && unit <= kStretch) step = kStretch / unit * unit;
        std::memcpy(target + done, target, step);
        done += step;
        if (size > kSmall) check_interrupt(L);
    }
}

// Pushes `count` copies of the unit: text followed by separator.
void push_units(lua_State *L, const char *text, std::size_t length, const char *separator,
                std::size_t separator_length, std::size_t count) {
    std::size_t unit = length + separator_length;
    luaL_Buffer buffer;
    char *target = luaL_buffinitsize(L, &buffer, unit * count);
    std::memcpy(target, text, length);
    std::memcpy(target + length, separator, separator_length);
    repeat_bytes(L, target, unit, unit * count);
    luaL_pushresultsize(&buffer, unit * count);
}

// A long result is joined from pieces that are one shared string: memory for the result and one
// piece, one copy of every byte. (A buffer would hold the result twice.)
int rep(lua_State *L) {
    std::size_t length;
    std::size_t separator_length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &separator_length);
    std::size_t unit = length + separator_length;
    if (n <= 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    auto count = static_cast<std::size_t>(n);
    if (unit < length || unit > static_cast<std::size_t>(LUA_MAXINTEGER) / count)
        return luaL_error(L, "resulting string too large");
    if (unit == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    std::size_t units = count - 1; // the last copy has no separator
    std::size_t total = unit * units + length;
    if (total <= kSmall) {
        luaL_Buffer buffer;
        char *target = luaL_buffinitsize(L, &buffer, total);
        std::memcpy(target, text, length);
        if (units > 0) {
            std::memcpy(target + length, separator, separator_length);
            repeat_bytes(L, target, unit, total);
        }
        luaL_pushresultsize(&buffer, total);
        return 1;
    }
    need_stack(L, kMaxPieces + 8);
    std::size_t in_piece = units / kMaxPieces;
    int pieces = 0;
    if (in_piece > 0) {
        push_units(L, text, length, separator, separator_length, in_piece);
        pieces = static_cast<int>(units / in_piece);
        for (int i = 1; i < pieces; ++i) lua_pushvalue(L, -1);
    }
    std::size_t rest = units - static_cast<std::size_t>(pieces) * in_piece;
    if (rest > 0) {
        push_units(L, text, length, separator, separator_length, rest);
        ++pieces;
    }
    lua_pushvalue(L, 1);
    check_interrupt(L);
    lua_concat(L, pieces + 1);
    return 1;
}

enum class Change { kUpper, kLower, kReverse };

template <Change kChange> int change(lua_State *L) {
    std::size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    luaL_Buffer buffer;
    char *target = luaL_buffinitsize(L, &buffer, length);
    const unsigned char *cases = kChange == Change::kUpper ? upper_of : lower_of;
    for (std::size_t done = 0; done < length;) {
        std::size_t stop = length - done > kStretch ? done + kStretch : length;
        for (; done < stop; ++done) {
            if (kChange == Change::kReverse)
                target[done] = text[length - 1 - done];
            else
                target[done] = static_cast<char>(cases[static_cast<unsigned char>(text[done])]);
        }
        if (done < length) check_interrupt(L);
    }
    luaL_pushresultsize(&buffer, length);
    return 1;
}

} // namespace

void set_linear_functions(lua_State *L) {
    static const luaL_Reg kFunctions[] = {
        {"rep", rep},
        {"upper", change<Change::kUpper>},
        {"lower", change<Change::kLower>},
        {"reverse", change<Change::kReverse>},
        {nullptr, nullptr},
    };
    luaL_setfuncs(L, kFunctions, 0);
}

} // namespace pllua_bg::lua
