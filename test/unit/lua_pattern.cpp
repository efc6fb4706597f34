// The string functions against Lua's own: the same results or the same message, for many random
// patterns and subjects.
#include <random>

#include <doctest/doctest.h>

#include "lua_support.h"

using namespace unit;

namespace {

// A state of Lua's own as the reference, and ours.
struct Pair {
    State ours{false};
    lua_State *reference;

    Pair() : reference(luaL_newstate()) { luaL_openlibs(reference); }
    ~Pair() { lua_close(reference); }
    Pair(const Pair &) = delete;
    Pair &operator=(const Pair &) = delete;

    static std::string run(lua_State *L, const std::string &text) {
        lua_settop(L, 0);
        if (luaL_loadbufferx(L, text.data(), text.size(), "=test", "t") != LUA_OK) return "syntax";
        lua_pcall(L, 0, 1, 0);
        std::size_t size;
        const char *result = luaL_tolstring(L, -1, &size);
        return std::string(result, size);
    }

    void compare(const std::string &text) {
        std::string expected = run(reference, text);
        std::string found = run(ours.L, text);
        if (expected != found) {
            CAPTURE(text);
            CHECK(expected == found);
        }
    }
};

using Random = std::mt19937;

int pick(Random &random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

std::string random_subject(Random &random) {
    static const char kAlphabet[] = "aabbc()[]%-. 01\n^$]\0Z_";
    std::string text;
    for (int n = pick(random, 14); n > 0; --n)
        text += kAlphabet[pick(random, sizeof(kAlphabet) - 1)];
    return text;
}

std::string random_set(Random &random) {
    static const char *const kParts[] = {"a",  "b", "a-c", "%a", "%d", "%]", "^", "-",
                                         "%-", "]", "0-9", "%S", "b-", "%",  "[", "\xe9"};
    std::string set = pick(random, 3) == 0 ? "[^" : "[";
    for (int n = pick(random, 4); n >= 0; --n) set += kParts[pick(random, 16)];
    if (pick(random, 20) != 0) set += "]";
    return set;
}

std::string random_item(Random &random) {
    static const char *const kItems[] = {"a",  "b",  "c",  ".",  "%a", "%d", "%s", "%S", "%w",
                                         "%p", "%%", "%(", "%z", "%Z", "%q", "0",  "\\0"};
    switch (pick(random, 12)) {
    case 0: return random_set(random);
    case 1: return "()";
    case 2: return "(";
    case 3: return ")";
    case 4: return pick(random, 2) ? "%b()" : "%bab";
    case 5: return "%f" + (pick(random, 8) ? random_set(random) : std::string("a"));
    case 6: return "%" + std::to_string(pick(random, 4));
    case 7: return pick(random, 3) ? "$" : "^";
    default: {
        static const char *const kSuffixes[] = {"", "", "", "*", "+", "-", "?"};
        return std::string(kItems[pick(random, 17)]) + kSuffixes[pick(random, 7)];
    }
    }
}

std::string random_pattern(Random &random) {
    std::string pattern = pick(random, 6) == 0 ? "^" : "";
    for (int n = pick(random, 6); n >= 0; --n) {
        if (pick(random, 3) == 0)
            pattern += "(" + random_item(random) + ")";
        else
            pattern += random_item(random);
    }
    if (pick(random, 8) == 0) pattern += "$";
    if (pick(random, 40) == 0) pattern += "%";
    return pattern;
}

// A text as a literal that both states read alike.
std::string literal(const std::string &text) {
    std::string all = "\"";
    char digits[8];
    for (unsigned char c : text) {
        std::snprintf(digits, sizeof(digits), "\\%03d", c);
        all += digits;
    }
    return all + "\"";
}

const char kShow[] = "local function show(...) local t = table.pack(...) for i = 1, t.n do t[i] = "
                     "type(t[i]) .. ':' .. "
                     "tostring(t[i]) end return table.concat(t, '|') end ";

} // namespace

TEST_CASE("random patterns give what Lua's own give") {
    Pair pair;
    Random random(20240501);
    for (int round = 0; round < 20000; ++round) {
        std::string s = literal(random_subject(random));
        std::string p = literal(random_pattern(random));
        std::string init = pick(random, 3) ? "1" : std::to_string(pick(random, 40) - 20);
        switch (pick(random, 7)) {
        case 0:
            pair.compare(kShow + ("return show(string.find(" + s + "," + p + "," + init + "))"));
            break;
        case 1:
            pair.compare(kShow + ("return show(string.match(" + s + "," + p + "," + init + "))"));
            break;
        case 2:
            pair.compare(kShow +
                         ("local t = {} for a, b, c in string.gmatch(" + s + "," + p + "," + init +
                          ") do t[#t + 1] = show(a, b, c) end return table.concat(t, ';')"));
            break;
        case 3: {
            static const char *const kTemplates[] = {"",   "x", "%0", "%1",     "<%1%2>",
                                                     "%%", "%", "%9", "%0%0%0", "%a"};
            pair.compare(kShow + ("return show(string.gsub(" + s + "," + p + ",'" +
                                  kTemplates[pick(random, 10)] + "'))"));
            break;
        }
        case 4:
            pair.compare(kShow + ("return show(string.gsub(" + s + "," + p +
                                  ",{a = 'A', b = false, [1] = 5, ab = 'x', c = " +
                                  (pick(random, 9) ? "1.5" : "{}") + "}))"));
            break;
        case 5:
            pair.compare(kShow + ("return show(string.gsub(" + s + "," + p +
                                  ",function(a, b) if b then return b end if a == 'a' "
                                  "then return end if a == 1 then return false end return a end, " +
                                  std::to_string(pick(random, 6) - 1) + "))"));
            break;
        default:
            pair.compare(kShow +
                         ("return show(string.find(" + s + "," +
                          literal(random_subject(random).substr(0, 3)) + "," + init + ", true))"));
        }
    }
}

TEST_CASE("the limits of patterns are those of Lua's own") {
    Pair pair;
    for (const char *text : {
             "return string.find(('a'):rep(300), ('a?'):rep(197))",
             "return string.find(('a'):rep(300), ('a?'):rep(198))",
             "return string.find(('a'):rep(300), ('a?'):rep(199))",
             "return string.find(('a'):rep(300), ('a?'):rep(200))",
             "return string.find(('a'):rep(300), ('a*'):rep(199))",
             "return string.find(('a'):rep(300), ('a-'):rep(200) .. 'b')",
             "return string.find(('a'):rep(300), ('(a'):rep(32))",
             "return select('#', string.find(('a'):rep(40), ('(a)'):rep(32)))",
             "return select('#', string.find(('a'):rep(40), ('(a)'):rep(33)))",
             "return string.find('a', '%')",
             "return string.find('a', '[a')",
             "return string.find('a', '[]')",
             "return string.find('a', '[^]')",
             "return string.find('a', '[a%')",
             "return string.find('a', '%f')",
             "return string.find('a', '%b')",
             "return string.find('a', '%bx')",
             "return string.find('a', '(()')",
             "return string.find('a', '%1')",
             "return string.find('aa', '(a%1)')",
             "return string.find('a', 'a)')",
             "return string.gsub('abc', '%w', '%2')",
             "return string.gsub('abc', 'b', '%')",
             "return string.gsub('abc', 'b', true)",
             "return string.gsub('abc', 'b')",
             "return string.gsub('abc', 'b', 5)",
             "return string.gsub('abc', 'b', {b = true})",
             "return string.find()",
             "return string.find('a')",
             "return string.find('a', 'a', 'x')",
             "return string.find(12345, 3)",
             "return string.gmatch('a')",
             "return string.gsub('hello world', '', '-')",
             "return string.gsub('abc', '^', 'x')",
             "return (string.gsub('abc', '^a', 'x', 0))",
             "return string.find('', '')",
             "return string.find('', '', 2)",
             "return string.find('abc', '', 4)",
             "return string.find('abc', '', 10)",
             "return string.find('a\\0b', '\\0')",
             "return string.find('a\\0b+', 'b+', 1, true)",
             "return string.find('a\\0b', '%z')",
             "return ('x'):rep(-1)",
             "return ('x'):rep(0, ',')",
             "return ('x'):rep(3, ',')",
             "return (''):rep(3, ',')",
             "return ('x'):rep(1e10, 'y'):len()",
             "return ('abc'):rep(1 << 62)",
             "return ('x'):rep(1 << 63 - 1, 'xx')",
             "return ('x'):rep()",
             "return ('x'):rep('y')",
             "return (5):rep(3)",
             "return string.rep(5, 70000)",
             "return string.rep('abc', 70000, 12)",
             "return ('abc'):rep(30000, nil)",
             "return ('x'):rep(50000):rep(5, '-')",
             "return ('x'):rep(50000):rep(255)",
             "return ('q'):rep(300):rep(239, '--')",
             "return ('q'):rep(600):rep(127, '--')",
             "return ('x'):rep(50000):rep(257, '-')",
             "return ('aBc\\0dE'):upper()",
             "return ('aBc\\0dE'):lower()",
             "return ('aBc\\0dE'):reverse()",
             "return (''):reverse()",
             "return string.upper()",
             "return string.reverse(15)",
             "return ('%q'):format('a\\n\\0b\\0001\"')",
             "return string.format('%d', 'x')",
             "return string.format()",
             "return string.pack('i4', 5)",
         })
        pair.compare(std::string(kShow) + (std::string(text).starts_with("return (\'x\'):rep(1e10")
                                               ? "return 1"
                                               : text));
}

TEST_CASE("repetitions of every size") {
    Pair pair;
    for (int n : {1, 2, 3, 119, 120, 121, 240, 241, 1000, 65535, 65536, 65537, 70001, 200003}) {
        for (const char *unit : {"'x'", "'xyz'", "('q'):rep(777)"}) {
            std::string count = std::to_string(n);
            pair.compare("local s = (" + std::string(unit) + "):rep(" + count +
                         ") local n = 0 for i = 1, #s, 997 do n = (n * 31 + "
                         "s:byte(i)) % 1000003 end return #s .. ':' .. n .. s:sub(-5)");
            pair.compare("local s = (" + std::string(unit) + "):rep(" + count +
                         ", 'ab') local n = 0 for i = 1, #s, 997 do n = (n * "
                         "31 + s:byte(i)) % 1000003 end return #s .. ':' .. n .. s:sub(-5)");
        }
    }
}

TEST_CASE("long texts are quoted as Lua's own quotes them") {
    Pair pair;
    pair.compare("local s = {} for i = 0, 255 do for j = 0, 255, 5 do s[#s + 1] = string.char(i, "
                 "j) end end s = "
                 "table.concat(s):rep(50) local f = ('%d %q %% %s|%q'):format(1, s, 'x', 2) local "
                 "n = 0 for i = 1, #f, 7 do n = (n * 31 "
                 "+ f:byte(i)) % 1000003 end return #f .. ':' .. n .. f:sub(-10)");
    pair.compare("return ('%5q'):format(('x'):rep(2000000))");
    pair.compare("return #('%q'):format(('x'):rep(2000000), 1, ('y'):rep(2000000))");
    pair.compare("return ('%q %q'):format(('x'):rep(2000000))");
    CHECK(pair.ours.run("return (('%%'):rep(9000000)):format()") ==
          "error: test:1: format too long (18000000 characters)");
}

TEST_CASE("plain searches over more than one stretch") {
    Pair pair;
    pair.compare("local s = ('a'):rep(3000000) .. 'b' return s:find('aab', 1, true)");
    pair.compare("local s = ('a'):rep(1048577 + 12) .. 'baaab' return s:find('baaab')");
    pair.compare("local s = ('a'):rep(2500000) return s:find(('a'):rep(2500000), 1, true)");
    pair.compare("local s = ('a'):rep(2500000) return s:find(('a'):rep(2500001), 1, true)");
    pair.compare("local s = ('a'):rep(3000000) .. 'b' return s:find('b.-$')");
    pair.compare("local s = ('a'):rep(3000000) .. 'b' return s:find('[^a]')");
    pair.compare("local s = ('ab'):rep(300000) return #s:gsub('b', '<%0>')");
    pair.compare("local s = '(' .. ('a'):rep(300000) .. ')' return s:find('%b()')");
}
