// A backtracking matcher over the pattern's text. It recurses exactly where it may have to come
// back (repetitions, '?' and captures), so "pattern too complex" is reached at the same depth as in
// Lua's own library.
#include "lua/stringlib/match.h"

#include <cctype>
#include <cstdint>
#include <cstring>

#include "lua/interrupt.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr int kMaxDepth = 200;
constexpr int kBudget = 1000;           // steps between two looks at the flag
constexpr ptrdiff_t kStretch = 1 << 16; // bytes scanned between two looks at the flag

enum ClassBit : uint16_t {
    kAlpha = 1,
    kCntrl = 2,
    kDigit = 4,
    kGraph = 8,
    kLower = 16,
    kPunct = 32,
    kSpace = 64,
    kUpper = 128,
    kAlnum = 256,
    kXdigit = 512,
    kZero = 1024, // %z, deprecated but there
};

uint16_t class_bits[256];

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

// The bits of a class letter in lower case; 0 when it names no class.
uint16_t bits_of_letter(unsigned char letter) {
    switch (letter) {
    case 'a': return kAlpha;
    case 'c': return kCntrl;
    case 'd': return kDigit;
    case 'g': return kGraph;
    case 'l': return kLower;
    case 'p': return kPunct;
    case 's': return kSpace;
    case 'u': return kUpper;
    case 'w': return kAlnum;
    case 'x': return kXdigit;
    case 'z': return kZero;
    default: return 0;
    }
}

bool in_class(unsigned char c, unsigned char letter) {
    bool complement = letter >= 'A' && letter <= 'Z';
    uint16_t bits = bits_of_letter(complement ? letter + ('a' - 'A') : letter);
    if (bits == 0) return c == letter;
    return ((class_bits[c] & bits) != 0) != complement;
}

// Whether c is in the set that begins at `set` ('[') and whose ']' is at `last`.
bool in_set(unsigned char c, const char *set, const char *last) {
    const char *p = set + 1;
    bool member = true;
    if (*p == '^') {
        member = false;
        p++;
    }
    while (p < last) {
        if (*p == kEscape) {
            if (in_class(c, byte(p[1]))) return member;
            p += 2;
        } else if (p[1] == '-' && p + 2 < last) {
            if (byte(p[0]) <= c && c <= byte(p[2])) return member;
            p += 3;
        } else {
            if (byte(*p) == c) return member;
            p++;
        }
    }
    return !member;
}

inline void tick(Matcher *m) {
    if (--m->budget <= 0) [[unlikely]] {
        m->budget = kBudget;
        check_interrupt(m->L);
    }
}

// The end of the single-character item at p.
const char *item_end(Matcher *m, const char *p) {
    char first = *p++;
    if (first == kEscape) {
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (first != '[') return p;
    if (*p == '^') p++;
    // The first character is a member even when it is ']'.
    do {
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        char c = *p++;
        if (c == kEscape && p < m->pattern_end) p++;
    } while (*p != ']');
    return p + 1;
}

// Whether the item [p, end) takes the character at s.
inline bool takes(const Matcher *m, const char *s, const char *p, const char *end) {
    if (s >= m->subject.end) return false;
    switch (*p) {
    case '.': return true;
    case kEscape: return in_class(byte(*s), byte(p[1]));
    case '[': return in_set(byte(*s), p, end - 1);
    default: return *p == *s;
    }
}

// The first place in [s, stop) that the item does not take, or stop.
const char *skip_taken(const char *s, const char *stop, const char *p, const char *end) {
    switch (*p) {
    case '.': return stop;
    case '[':
        while (s < stop && in_set(byte(*s), p, end - 1)) s++;
        return s;
    case kEscape: {
        unsigned char letter = byte(p[1]);
        bool complement = letter >= 'A' && letter <= 'Z';
        uint16_t bits = bits_of_letter(complement ? letter + ('a' - 'A') : letter);
        if (bits == 0) {
            while (s < stop && byte(*s) == letter) s++;
        } else {
            while (s < stop && ((class_bits[byte(*s)] & bits) != 0) != complement) s++;
        }
        return s;
    }
    default: {
        char c = *p;
        while (s < stop && *s == c) s++;
        return s;
    }
    }
}

const char *expand_longest(Matcher *m, const char *s, const char *p, const char *end) {
    const char *place = s;
    while (place < m->subject.end) {
        ptrdiff_t left = m->subject.end - place;
        const char *stop = left > kStretch ? place + kStretch : m->subject.end;
        place = skip_taken(place, stop, p, end);
        if (place < stop) break;
        check_interrupt(m->L);
    }
    for (; place >= s; place--) {
        const char *found = try_match(m, place, end + 1);
        if (found != nullptr) return found;
    }
    return nullptr;
}

const char *expand_shortest(Matcher *m, const char *s, const char *p, const char *end) {
    for (;;) {
        const char *found = try_match(m, s, end + 1);
        if (found != nullptr) return found;
        if (!takes(m, s, p, end)) return nullptr;
        s++;
    }
}

const char *open_capture(Matcher *m, const char *s, const char *p, ptrdiff_t kind) {
    if (m->capture_count >= kMaxCaptures) luaL_error(m->L, "too many captures");
    m->captures[m->capture_count] = {s, kind};
    m->capture_count++;
    const char *found = try_match(m, s, p);
    if (found == nullptr) m->capture_count--;
    return found;
}

const char *close_capture(Matcher *m, const char *s, const char *p) {
    int index = m->capture_count - 1;
    while (index >= 0 && m->captures[index].length != kCaptureOpen) index--;
    if (index < 0) luaL_error(m->L, "invalid pattern capture");
    m->captures[index].length = s - m->captures[index].start;
    const char *found = try_match(m, s, p);
    if (found == nullptr) m->captures[index].length = kCaptureOpen;
    return found;
}

// %bxy; p is at x.
const char *match_balanced(Matcher *m, const char *s, const char *p) {
    if (p >= m->pattern_end - 1) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->subject.end || *s != p[0]) return nullptr;
    char opening = p[0];
    char closing = p[1];
    ptrdiff_t open = 1;
    for (const char *place = s + 1; place < m->subject.end; place++) {
        if (((place - s) & (kStretch - 1)) == 0) check_interrupt(m->L);
        if (*place == closing) {
            if (--open == 0) return place + 1;
        } else if (*place == opening) {
            open++;
        }
    }
    return nullptr;
}

// %1 to %9; digit may be any character there.
const char *match_backreference(Matcher *m, const char *s, unsigned char digit) {
    int index = digit - '1';
    if (index < 0 || index >= m->capture_count || m->captures[index].length == kCaptureOpen)
        luaL_error(m->L, "invalid capture index %%%d", index + 1);
    const Capture &capture = m->captures[index];
    if (capture.length < 0 || m->subject.end - s < capture.length) return nullptr;
    if (memcmp(capture.start, s, static_cast<size_t>(capture.length)) != 0) return nullptr;
    m->budget -= static_cast<int>(capture.length >> 6 & 0xffff);
    return s + capture.length;
}

bool at_frontier(Matcher *m, const char *s, const char *set, const char *end) {
    unsigned char before = s == m->subject.begin ? 0 : byte(s[-1]);
    unsigned char after = s == m->subject.end ? 0 : byte(*s);
    return !in_set(before, set, end - 1) && in_set(after, set, end - 1);
}

// The items that begin with '%' and are no character class. True when it was one: *s is then null
// (no match) or the place behind, and *p is behind the item.
bool match_special(Matcher *m, const char **s, const char **p) {
    const char *item = *p;
    switch (item[1]) {
    case 'b':
        *s = match_balanced(m, *s, item + 2);
        *p = item + 4;
        return true;
    case 'f': {
        if (item[2] != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
        const char *end = item_end(m, item + 2);
        if (!at_frontier(m, *s, item + 2, end)) *s = nullptr;
        *p = end;
        return true;
    }
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *s = match_backreference(m, *s, byte(item[1]));
        *p = item + 2;
        return true;
    default: return false;
    }
}

const char *match_items(Matcher *m, const char *s, const char *p) {
    while (p != m->pattern_end) {
        tick(m);
        switch (*p) {
        case '(':
            if (p[1] == ')') return open_capture(m, s, p + 2, kCapturePosition);
            return open_capture(m, s, p + 1, kCaptureOpen);
        case ')': return close_capture(m, s, p + 1);
        case '$':
            if (p + 1 == m->pattern_end) return s == m->subject.end ? s : nullptr;
            break;
        case kEscape:
            if (match_special(m, &s, &p)) {
                if (s == nullptr) return nullptr;
                continue;
            }
            break;
        default: break;
        }
        const char *end = item_end(m, p);
        char suffix = *end;
        if (!takes(m, s, p, end)) {
            if (suffix != '*' && suffix != '?' && suffix != '-') return nullptr;
            p = end + 1;
            continue;
        }
        switch (suffix) {
        case '?':
            if (const char *found = try_match(m, s + 1, end + 1); found != nullptr) return found;
            p = end + 1;
            break;
        case '+': return expand_longest(m, s + 1, p, end);
        case '*': return expand_longest(m, s, p, end);
        case '-': return expand_shortest(m, s, p, end);
        default:
            s++;
            p = end;
            break;
        }
    }
    return s;
}

// The character of a first item that is one literal character which must be there; else -1.
int first_literal(Text pattern) {
    if (pattern.begin == pattern.end || strchr("^$*+?.([%-)", *pattern.begin) != nullptr) return -1;
    char suffix = pattern.begin[1];
    return suffix == '*' || suffix == '?' || suffix == '-' ? -1 : byte(*pattern.begin);
}

} // namespace

void prepare(Matcher *m, lua_State *L, Text subject, Text pattern) {
    m->L = L;
    m->subject = subject;
    m->pattern_end = pattern.end;
    m->first = first_literal(pattern);
    m->depth = kMaxDepth;
    m->budget = kBudget;
    m->capture_count = 0;
}

const char *try_match(Matcher *m, const char *place, const char *pattern) {
    if (m->depth-- == 0) [[unlikely]]
        luaL_error(m->L, "pattern too complex");
    const char *found = match_items(m, place, pattern);
    m->depth++;
    return found;
}

const char *next_candidate(Matcher *m, const char *from) {
    tick(m);
    if (m->first < 0) return from;
    while (from < m->subject.end) {
        ptrdiff_t left = m->subject.end - from;
        ptrdiff_t stretch = left > kStretch * 16 ? kStretch * 16 : left;
        const void *found = memchr(from, m->first, static_cast<size_t>(stretch));
        if (found != nullptr) return static_cast<const char *>(found);
        from += stretch;
        check_interrupt(m->L);
    }
    return nullptr;
}

void refresh_character_classes() {
    for (int c = 0; c < 256; c++) {
        unsigned bits = c == 0 ? kZero : 0;
        if (isalpha(c)) bits |= kAlpha;
        if (iscntrl(c)) bits |= kCntrl;
        if (isdigit(c)) bits |= kDigit;
        if (isgraph(c)) bits |= kGraph;
        if (islower(c)) bits |= kLower;
        if (ispunct(c)) bits |= kPunct;
        if (isspace(c)) bits |= kSpace;
        if (isupper(c)) bits |= kUpper;
        if (isalnum(c)) bits |= kAlnum;
        if (isxdigit(c)) bits |= kXdigit;
        class_bits[c] = static_cast<uint16_t>(bits);
    }
}

} // namespace pllua_bg::lua
