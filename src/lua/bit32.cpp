// The library bit32 of Lua 5.2 (reference manual of 5.2, section 6.7): operations on the low 32
// bits of integers.
#include <cstdint>

#include "lua/baselib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr lua_Integer kBits = 32;

uint32_t check_word(lua_State *L, int idx) {
    return static_cast<uint32_t>(static_cast<lua_Unsigned>(luaL_checkinteger(L, idx)));
}

int push_word(lua_State *L, uint32_t word) {
    lua_pushinteger(L, static_cast<lua_Integer>(word));
    return 1;
}

uint32_t and_of_arguments(lua_State *L) {
    uint32_t word = ~uint32_t{0};
    for (int i = lua_gettop(L); i >= 1; i--) word &= check_word(L, i);
    return word;
}

int band(lua_State *L) { return push_word(L, and_of_arguments(L)); }

int btest(lua_State *L) {
    lua_pushboolean(L, and_of_arguments(L) != 0);
    return 1;
}

int bor(lua_State *L) {
    uint32_t word = 0;
    for (int i = lua_gettop(L); i >= 1; i--) word |= check_word(L, i);
    return push_word(L, word);
}

int bxor(lua_State *L) {
    uint32_t word = 0;
    for (int i = lua_gettop(L); i >= 1; i--) word ^= check_word(L, i);
    return push_word(L, word);
}

int bnot(lua_State *L) { return push_word(L, ~check_word(L, 1)); }

// Shifts to the left, to the right when places is negative.
uint32_t shifted(uint32_t word, lua_Integer places) {
    if (places <= -kBits || places >= kBits) return 0;
    return places >= 0 ? word << places : word >> -places;
}

int lshift(lua_State *L) {
    uint32_t word = check_word(L, 1);
    return push_word(L, shifted(word, luaL_checkinteger(L, 2)));
}

int rshift(lua_State *L) {
    uint32_t word = check_word(L, 1);
    lua_Integer places = luaL_checkinteger(L, 2);
    return push_word(L, places == LUA_MININTEGER ? 0 : shifted(word, -places));
}

int arshift(lua_State *L) {
    uint32_t word = check_word(L, 1);
    lua_Integer places = luaL_checkinteger(L, 2);
    if (places < 0) return push_word(L, places == LUA_MININTEGER ? 0 : shifted(word, -places));
    if (places >= kBits) places = kBits - 1;
    return push_word(L, static_cast<uint32_t>(static_cast<int32_t>(word) >> places));
}

int rotate(lua_State *L, uint32_t word, lua_Integer places) {
    auto left = static_cast<unsigned>(places & (kBits - 1));
    return push_word(L, left == 0 ? word : word << left | word >> (kBits - left));
}

int lrotate(lua_State *L) {
    uint32_t word = check_word(L, 1);
    return rotate(L, word, luaL_checkinteger(L, 2));
}

int rrotate(lua_State *L) {
    uint32_t word = check_word(L, 1);
    auto places = static_cast<lua_Unsigned>(luaL_checkinteger(L, 2));
    return rotate(L, word, static_cast<lua_Integer>(0 - places));
}

struct Field {
    lua_Integer position;
    uint32_t mask;
};

// A field of bits: its position at idx, its width behind it.
Field check_field(lua_State *L, int idx) {
    lua_Integer position = luaL_checkinteger(L, idx);
    lua_Integer width = luaL_optinteger(L, idx + 1, 1);
    luaL_argcheck(L, position >= 0, idx, "field cannot be negative");
    luaL_argcheck(L, width > 0, idx + 1, "width must be positive");
    if (position >= kBits || width > kBits - position)
        luaL_error(L, "trying to access non-existent bits");
    return {position, static_cast<uint32_t>((uint64_t{1} << width) - 1)};
}

int extract(lua_State *L) {
    uint32_t word = check_word(L, 1);
    Field field = check_field(L, 2);
    return push_word(L, word >> field.position & field.mask);
}

int replace(lua_State *L) {
    uint32_t word = check_word(L, 1);
    uint32_t value = check_word(L, 2);
    Field field = check_field(L, 3);
    uint32_t mask = field.mask << field.position;
    return push_word(L, (word & ~mask) | (value << field.position & mask));
}

} // namespace

int open_bit32(lua_State *L) {
    static const luaL_Reg kFunctions[] = {
        {"arshift", arshift}, {"band", band},       {"bnot", bnot},       {"bor", bor},
        {"btest", btest},     {"bxor", bxor},       {"extract", extract}, {"lrotate", lrotate},
        {"lshift", lshift},   {"replace", replace}, {"rrotate", rrotate}, {"rshift", rshift},
        {nullptr, nullptr},
    };
    lua_createtable(L, 0, 12);
    luaL_setfuncs(L, kFunctions, 0);
    return 1;
}

} // namespace pllua_bg::lua
