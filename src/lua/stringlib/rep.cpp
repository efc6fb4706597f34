// string.rep. Lua's own copies the text once more for every repetition, without a look at
// interrupts (an empty text for ever), and holds a long result twice.
#include <cstring>

#include "lua/stack.h"
#include "lua/stringlib/stringlib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// A result of more bytes than kSmall is joined from pieces, which all but the last are one shared
// string: memory for the result and one piece. At least kPieces, fewer than twice as many.
constexpr size_t kSmall = 1 << 16;
constexpr size_t kPieces = 64;

struct Unit {
    const char *text;
    size_t length;
    const char *separator;
    size_t separator_length;
};

// Pushes `count` texts with the separator between them.
void push_piece(lua_State *L, const Unit &unit, size_t count) {
    const size_t size = (unit.length + unit.separator_length) * count;
    luaL_Buffer buffer;
    char *target = luaL_buffinitsize(L, &buffer, size);
    memcpy(target, unit.text, unit.length);
    memcpy(target + unit.length, unit.separator, unit.separator_length);
    for (size_t done = unit.length + unit.separator_length; done < size;) {
        const size_t step = done < size - done ? done : size - done;
        memcpy(target + done, target, step);
        done += step;
    }
    luaL_pushresultsize(&buffer, size - unit.separator_length);
}

void push_joined(lua_State *L, const Unit &unit, size_t count) {
    const size_t in_piece = count < kPieces ? 1 : count / kPieces;
    need_stack(L, 4 * static_cast<int>(kPieces) + 8);
    push_piece(L, unit, in_piece);
    const int piece = lua_gettop(L);
    size_t left = count - in_piece;
    for (; left >= in_piece; left -= in_piece) {
        lua_pushlstring(L, unit.separator, unit.separator_length);
        lua_pushvalue(L, piece);
    }
    if (left > 0) {
        lua_pushlstring(L, unit.separator, unit.separator_length);
        push_piece(L, unit, left);
    }
    lua_concat(L, lua_gettop(L) - piece + 1);
}

int rep(lua_State *L) {
    Unit unit;
    unit.text = luaL_checklstring(L, 1, &unit.length);
    const lua_Integer n = luaL_checkinteger(L, 2);
    unit.separator = luaL_optlstring(L, 3, "", &unit.separator_length);
    const size_t size = unit.length + unit.separator_length;
    if (n <= 0 || size == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    const auto count = static_cast<size_t>(n);
    if (size > static_cast<size_t>(LUA_MAXINTEGER) / count)
        return luaL_error(L, "resulting string too large");
    if (size * count <= kSmall)
        push_piece(L, unit, count);
    else
        push_joined(L, unit, count);
    return 1;
}

} // namespace

void set_rep_function(lua_State *L) {
    static const luaL_Reg kFunctions[] = {{"rep", rep}, {nullptr, nullptr}};
    luaL_setfuncs(L, kFunctions, 0);
}

} // namespace pllua_bg::lua
