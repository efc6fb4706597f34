// string.find, string.match, string.gmatch, and how captures become values.
#include <cstring>

#include "lua/interrupt.h"
#include "lua/stack.h"
#include "lua/stringlib/match.h"
#include "lua/stringlib/stringlib.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// What a plain search covers between two looks at the interrupt flag.
constexpr size_t kSearchStretch = 1 << 20;
// How often it tries where the first character is before it prepares for more.
constexpr int kFalseStarts = 8;

Text check_text(lua_State *L, int idx) {
    size_t length;
    const char *begin = luaL_checklstring(L, idx, &length);
    return {begin, begin + length};
}

// An init argument as an offset from the beginning; larger than length when it lies behind the end.
size_t check_offset(lua_State *L, int idx, size_t length) {
    lua_Integer position = luaL_optinteger(L, idx, 1);
    if (position > 0) return static_cast<size_t>(position) - 1;
    if (position == 0 || position < -static_cast<lua_Integer>(length)) return 0;
    return length + static_cast<size_t>(position);
}

bool has_specials(Text pattern) {
    for (const char *p = pattern.begin; p <= pattern.end; p += strlen(p) + 1) {
        if (strpbrk(p, "^$*+?.([%-") != nullptr) return true;
    }
    return false;
}

int push_not_found(lua_State *L) {
    luaL_pushfail(L);
    return 1;
}

// The first place of needle in haystack, or null. memchr is often all there is to do; memmem takes
// linear time whatever the texts are, but some time to prepare.
const char *find_plain(lua_State *L, Text haystack, Text needle) {
    auto size = static_cast<size_t>(needle.end - needle.begin);
    if (size == 0) return haystack.begin;
    size_t stretch = kSearchStretch + 4 * size;
    for (int i = 0;; i++) {
        auto left = static_cast<size_t>(haystack.end - haystack.begin);
        if (left < size) return nullptr;
        if (i < kFalseStarts) {
            const void *start = memchr(haystack.begin, *needle.begin, left - size + 1);
            if (start == nullptr || memcmp(start, needle.begin, size) == 0)
                return static_cast<const char *>(start);
            haystack.begin = static_cast<const char *>(start) + 1;
            continue;
        }
        size_t part = left > stretch ? stretch : left;
        const void *found = memmem(haystack.begin, part, needle.begin, size);
        if (found != nullptr || part == left) return static_cast<const char *>(found);
        haystack.begin += part - size + 1;
        check_interrupt(L);
    }
}

int find_literally(lua_State *L, Text subject, Text needle, size_t offset) {
    const char *found = find_plain(L, {subject.begin + offset, subject.end}, needle);
    if (found == nullptr) return push_not_found(L);
    lua_Integer first = found - subject.begin + 1;
    lua_pushinteger(L, first);
    lua_pushinteger(L, first + (needle.end - needle.begin) - 1);
    return 2;
}

template <bool kFind> int find_or_match(lua_State *L) {
    Text subject = check_text(L, 1);
    Text pattern = check_text(L, 2);
    auto length = static_cast<size_t>(subject.end - subject.begin);
    size_t offset = check_offset(L, 3, length);
    if (offset > length) return push_not_found(L);
    if (kFind && (lua_toboolean(L, 4) || !has_specials(pattern)))
        return find_literally(L, subject, pattern, offset);

    const char *place = subject.begin + offset;
    bool anchored = *pattern.begin == '^';
    if (anchored) pattern.begin++;
    Matcher matcher;
    prepare(&matcher, L, subject, pattern);
    do {
        if (!anchored) place = next_candidate(&matcher, place);
        if (place == nullptr) break;
        matcher.capture_count = 0;
        const char *end = try_match(&matcher, place, pattern.begin);
        if (end == nullptr) continue;
        if (!kFind) return push_captures(&matcher, place, end);
        lua_pushinteger(L, place - subject.begin + 1);
        lua_pushinteger(L, end - subject.begin);
        return 2 + push_captures(&matcher, nullptr, nullptr);
    } while (!anchored && ++place <= subject.end);
    return push_not_found(L);
}

// Where an iteration stands. Upvalues of the iterator: subject, pattern, this.
struct Iteration {
    size_t offset;   // where the next try begins; behind the end: done
    size_t last_end; // where the last match ended: an empty match may not follow it there
};
constexpr size_t kNoMatchYet = static_cast<size_t>(-1);

int gmatch_next(lua_State *L) {
    size_t length;
    size_t pattern_length;
    const char *begin = lua_tolstring(L, lua_upvalueindex(1), &length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
    auto *iteration = static_cast<Iteration *>(lua_touserdata(L, lua_upvalueindex(3)));
    if (iteration->offset > length) return 0;

    Matcher matcher;
    prepare(&matcher, L, {begin, begin + length}, {pattern, pattern + pattern_length});
    for (const char *place = begin + iteration->offset; place <= begin + length; place++) {
        place = next_candidate(&matcher, place);
        if (place == nullptr) break;
        matcher.capture_count = 0;
        const char *end = try_match(&matcher, place, pattern);
        if (end == nullptr) continue;
        auto end_offset = static_cast<size_t>(end - begin);
        if (end_offset == iteration->last_end) continue;
        iteration->offset = iteration->last_end = end_offset;
        return push_captures(&matcher, place, end);
    }
    return 0;
}

int gmatch(lua_State *L) {
    size_t length;
    luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    size_t offset = check_offset(L, 3, length);
    lua_settop(L, 2);
    auto *iteration = static_cast<Iteration *>(lua_newuserdatauv(L, sizeof(Iteration), 0));
    iteration->offset = offset > length ? length + 1 : offset;
    iteration->last_end = kNoMatchYet;
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

} // namespace

void push_capture(Matcher *m, int index, const char *begin, const char *end) {
    if (index >= m->capture_count) {
        if (index != 0) luaL_error(m->L, "invalid capture index %%%d", index + 1);
        lua_pushlstring(m->L, begin, static_cast<size_t>(end - begin));
        return;
    }
    const Capture &capture = m->captures[index];
    if (capture.length == kCaptureOpen) luaL_error(m->L, "unfinished capture");
    if (capture.length == kCapturePosition)
        lua_pushinteger(m->L, capture.start - m->subject.begin + 1);
    else
        lua_pushlstring(m->L, capture.start, static_cast<size_t>(capture.length));
}

int push_captures(Matcher *m, const char *begin, const char *end) {
    int count = m->capture_count == 0 && begin != nullptr ? 1 : m->capture_count;
    need_stack(m->L, count);
    for (int i = 0; i < count; i++) push_capture(m, i, begin, end);
    return count;
}

void set_find_functions(lua_State *L) {
    static const luaL_Reg kFunctions[] = {
        {"find", find_or_match<true>},
        {"match", find_or_match<false>},
        {"gmatch", gmatch},
        {nullptr, nullptr},
    };
    luaL_setfuncs(L, kFunctions, 0);
}

} // namespace pllua_bg::lua
