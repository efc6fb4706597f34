// string.format, pack, packsize, unpack: Lua's own. They walk their format in C without a look at
// interrupts, so a format has a greatest length; %q takes up to 25 ns a character, so long texts
// are quoted here.
#include <cctype>
#include <cstring>

#include "lua/interrupt.h"
#include "lua/stack.h"
#include "lua/stock.h"
#include "lua/stringlib/stringlib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr size_t kMaxFormat = size_t{1} << 24;
constexpr size_t kLongText = size_t{1} << 20;
constexpr size_t kStretch = size_t{1} << 16;

void check_format_length(lua_State *L) {
    size_t length = 0;
    if (lua_type(L, 1) == LUA_TSTRING) lua_tolstring(L, 1, &length);
    if (length > kMaxFormat)
        luaL_error(L, "format too long (%I characters)", static_cast<lua_Integer>(length));
}

// Replaces the argument at idx by its literal, as %q writes it.
void quote(lua_State *L, int idx) {
    size_t length;
    const char *text = lua_tolstring(L, idx, &length);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    luaL_addchar(&buffer, '"');
    for (size_t i = 0; i < length; i++) {
        auto c = static_cast<unsigned char>(text[i]);
        if (i % kStretch == 0) check_interrupt(L);
        if (c == '"' || c == '\\' || c == '\n') {
            luaL_addchar(&buffer, '\\');
            luaL_addchar(&buffer, text[i]);
        } else if (iscntrl(c)) {
            // Three digits only where a shorter number would swallow the next one.
            bool full = i + 1 < length && isdigit(static_cast<unsigned char>(text[i + 1]));
            luaL_addchar(&buffer, '\\');
            if (full || c >= 100) luaL_addchar(&buffer, static_cast<char>('0' + c / 100));
            if (full || c >= 10) luaL_addchar(&buffer, static_cast<char>('0' + c / 10 % 10));
            luaL_addchar(&buffer, static_cast<char>('0' + c % 10));
        } else {
            luaL_addchar(&buffer, text[i]);
        }
    }
    luaL_addchar(&buffer, '"');
    luaL_pushresult(&buffer);
    lua_replace(L, idx);
}

bool has_long_text(lua_State *L) {
    for (int i = lua_gettop(L); i > 1; i--) {
        if (lua_type(L, i) == LUA_TSTRING && lua_rawlen(L, i) > kLongText) return true;
    }
    return false;
}

// Turns every plain %q of a long text into %s of its literal.
void quote_long_texts(lua_State *L) {
    size_t length;
    const char *format = luaL_checklstring(L, 1, &length);
    int top = lua_gettop(L);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    int argument = 1;
    for (const char *p = format, *end = format + length; p < end;) {
        char c = *p++;
        luaL_addchar(&buffer, c);
        if (c != '%' || p == end) continue;
        if (*p == '%') {
            luaL_addchar(&buffer, *p++);
            continue;
        }
        argument++;
        bool quoted = *p == 'q' && argument <= top && lua_type(L, argument) == LUA_TSTRING &&
                      lua_rawlen(L, argument) > kLongText;
        if (quoted) {
            quote(L, argument);
            luaL_addchar(&buffer, 's');
            p++;
        }
    }
    luaL_pushresult(&buffer);
    lua_replace(L, 1);
    lua_settop(L, top);
}

int format(lua_State *L) {
    check_stack(L);
    check_format_length(L);
    if (has_long_text(L) && lua_isstring(L, 1)) quote_long_texts(L);
    return run_guarded(L);
}

int with_bounded_format(lua_State *L) {
    check_format_length(L);
    return run_guarded(L);
}

} // namespace

void set_format_functions(lua_State *L) {
    static const luaL_Reg kGuards[] = {
        {"format", format},
        {"pack", with_bounded_format},
        {"packsize", with_bounded_format},
        {"unpack", with_bounded_format},
        {nullptr, nullptr},
    };
    set_guards(L, kGuards);
}

} // namespace pllua_bg::lua
