// The pattern matcher of Lua 5.4, interruptible. Semantics and messages are those of the reference
// manual, 6.4.1, and of Lua's own library. Owns nothing: a Matcher lives in the frame of the
// function that uses it.
#pragma once

#include <cstddef>

#include "lua/lua_api.h"

namespace pllua_bg::lua {

inline constexpr int kMaxCaptures = 32;
inline constexpr char kEscape = '%';

struct Capture {
    const char *start;
    ptrdiff_t length; // or one of the two below
};
inline constexpr ptrdiff_t kCaptureOpen = -1;
inline constexpr ptrdiff_t kCapturePosition = -2;

// What a text consists of; both ends given because it may hold zeros. A zero follows the end.
struct Text {
    const char *begin;
    const char *end;
};

struct Matcher {
    lua_State *L;
    Text subject;
    const char *pattern_end;
    int first;  // the character every match begins with; -1: none is known
    int depth;  // levels of recursion still allowed
    int budget; // steps until the next look at the interrupt flag
    int capture_count;
    Capture captures[kMaxCaptures];
};

// Makes ready for many tries. The pattern begins behind a leading '^',
// which the callers handle. Errors: none.
void prepare(Matcher *matcher, lua_State *L, Text subject, Text pattern);
// One try at one place of the subject: the end of the match, or null. Errors: lua (malformed
// patterns, interrupts).
const char *try_match(Matcher *matcher, const char *place, const char *pattern);
// The next place at or behind `from` where the pattern can match at all; null when there is none. A
// cheap filter: a place it gives may still fail. Errors: lua (interrupts).
const char *next_candidate(Matcher *matcher, const char *from);

// Pushes capture `index` (0: the first; the whole match [begin, end) when the pattern has none).
// Errors: lua.
void push_capture(Matcher *matcher, int index, const char *begin, const char *end);
// Pushes all captures, the whole match when there are none and begin is not null;
// returns how many. Errors: lua.
int push_captures(Matcher *matcher, const char *begin, const char *end);

// Reads the classes (%a, %d, ...) of the process's present locale. Called by create_interp; call
// again when LC_CTYPE changes. Errors: none.
void refresh_character_classes();

} // namespace pllua_bg::lua
