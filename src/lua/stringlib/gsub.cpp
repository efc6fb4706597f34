// string.gsub.
#include <cctype>
#include <cstring>

#include "lua/stack.h"
#include "lua/stringlib/match.h"
#include "lua/stringlib/stringlib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr int kReplacement = 3; // the stack index of the third argument

void add_capture(Matcher *m, luaL_Buffer *buffer, int index, const char *begin, const char *end) {
    if (index < m->capture_count && m->captures[index].length >= 0) {
        const Capture &capture = m->captures[index];
        luaL_addlstring(buffer, capture.start, static_cast<size_t>(capture.length));
        return;
    }
    push_capture(m, index, begin, end);
    luaL_tolstring(m->L, -1, nullptr);
    lua_remove(m->L, -2);
    luaL_addvalue(buffer);
}

// Adds the replacement text with its %0 to %9 filled in.
void add_template(Matcher *m, luaL_Buffer *buffer, const char *begin, const char *end) {
    size_t length;
    const char *text = lua_tolstring(m->L, kReplacement, &length);
    const char *stop = text + length;
    for (;;) {
        auto left = static_cast<size_t>(stop - text);
        const char *mark = static_cast<const char *>(memchr(text, kEscape, left));
        if (mark == nullptr) break;
        luaL_addlstring(buffer, text, static_cast<size_t>(mark - text));
        char what = mark[1];
        if (what == kEscape) {
            luaL_addchar(buffer, kEscape);
        } else if (what == '0') {
            luaL_addlstring(buffer, begin, static_cast<size_t>(end - begin));
        } else if (isdigit(static_cast<unsigned char>(what))) {
            add_capture(m, buffer, what - '1', begin, end);
        } else {
            luaL_error(m->L, "invalid use of '%c' in replacement string", kEscape);
        }
        text = mark + 2;
    }
    luaL_addlstring(buffer, text, static_cast<size_t>(stop - text));
}

// Adds what replaces the match [begin, end). False when the match stays as it is.
bool add_replacement(Matcher *m, luaL_Buffer *buffer, const char *begin, const char *end,
                     int kind) {
    lua_State *L = m->L;
    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, kReplacement);
        lua_call(L, push_captures(m, begin, end), 1);
    } else if (kind == LUA_TTABLE) {
        push_capture(m, 0, begin, end);
        lua_gettable(L, kReplacement);
    } else {
        add_template(m, buffer, begin, end);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(buffer, begin, static_cast<size_t>(end - begin));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(buffer);
    return true;
}

int check_replacement(lua_State *L) {
    int kind = lua_type(L, kReplacement);
    bool allowed =
        kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TTABLE || kind == LUA_TFUNCTION;
    luaL_argexpected(L, allowed, kReplacement, "string/function/table");
    return kind;
}

int gsub(lua_State *L) {
    check_stack(L);
    size_t length;
    size_t pattern_length;
    const char *begin = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    int kind = check_replacement(L);
    lua_Integer limit = luaL_optinteger(L, 4, static_cast<lua_Integer>(length) + 1);
    const char *stop = begin + length;

    const char *pattern_end = pattern + pattern_length;
    bool anchored = *pattern == '^';
    if (anchored) pattern++;
    Matcher matcher;
    prepare(&matcher, L, {begin, stop}, {pattern, pattern_end});
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const char *copied = begin;     // what lies before it is in the buffer
    const char *last_end = nullptr; // an empty match may not follow the last match at its end
    const char *place = begin;
    lua_Integer count = 0;
    bool changed = false;
    while (count < limit && place <= stop) {
        if (!anchored) place = next_candidate(&matcher, place);
        if (place == nullptr) break;
        matcher.capture_count = 0;
        const char *end = try_match(&matcher, place, pattern);
        if (end != nullptr && end != last_end) {
            count++;
            luaL_addlstring(&buffer, copied, static_cast<size_t>(place - copied));
            if (add_replacement(&matcher, &buffer, place, end, kind)) changed = true;
            copied = place = last_end = end;
        } else {
            place++;
        }
        if (anchored) break;
    }
    if (changed) {
        luaL_addlstring(&buffer, copied, static_cast<size_t>(stop - copied));
        luaL_pushresult(&buffer);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, count);
    return 2;
}

} // namespace

void set_gsub_functions(lua_State *L) {
    static const luaL_Reg kFunctions[] = {{"gsub", gsub}, {nullptr, nullptr}};
    luaL_setfuncs(L, kFunctions, 0);
}

} // namespace pllua_bg::lua
