// Without a server too a recursion through C ends before the stack does.
#include <doctest/doctest.h>

#include "lua_support.h"

#include "lua/stack.h"

using namespace unit;

namespace {

bool always() { return true; }

} // namespace

TEST_CASE("a recursion through C functions ends in an error") {
    State state;
    const char *const kRoads[] = {
        "local function f() return (('x'):gsub('x', f)) end f()",
        "local function f() table.sort({1, 2, 3}, f) end f()",
        "local function f() local _, e = load(f) error(e, 0) end f()",
        "local t t = setmetatable({}, {__tostring = function() return ('%s'):format(t) end}) "
        "tostring(t)",
        "local t t = setmetatable({}, {__index = function() return table.concat(t, '', 1, 2) end}) "
        "return t.x",
        "local function f() local _, e = pcall(f) error(e, 0) end f()",
        "package.preload.a = function() package.loaded.a = nil return require 'a' end require 'a'",
        "assert(load('return ' .. ('('):rep(100000)))",
    };
    for (const char *road : kRoads) {
        CAPTURE(road);
        const std::string result = state.run(road);
        CHECK((result.find("stack overflow") != std::string::npos ||
               result.find("54001") != std::string::npos));
    }
}

TEST_CASE("what asks for the stack says so when it is used up") {
    State state;
    bool (*before)() = lua::hooks.stack_is_too_deep;
    CHECK_FALSE(before());
    lua::hooks.stack_is_too_deep = always;
    CHECK(state.run("return ('x'):gsub('x', 'y')") ==
          "error: ERROR: 54001 stack depth limit exceeded");
    CHECK(state.run("return table.concat({1})") ==
          "error: ERROR: 54001 stack depth limit exceeded");
    lua::hooks.stack_is_too_deep = before;
    CHECK(state.run("return (('x'):gsub('x', 'y'))") == "y");
}
