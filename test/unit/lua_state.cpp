// Interpreters: memory account, limit, external memory, embedded modules, finalizers.
#include <cstring>

#include <doctest/doctest.h>

#include "lua/loader.h"
#include "lua_support.h"

using namespace unit;

TEST_CASE("the account follows every allocation") {
    std::size_t before;
    State state;
    before = state.interp->used;
    CHECK(before > 10000);
    // Blocks are rounded up.
    const std::size_t counted = static_cast<std::size_t>(lua_gc(state.L, LUA_GCCOUNT)) * 1024 +
                                static_cast<std::size_t>(lua_gc(state.L, LUA_GCCOUNTB));
    CHECK(before >= counted);
    CHECK(before < counted + counted / 20);
    state.run("x = ('a'):rep(1000000)");
    CHECK(state.interp->used > before + 1000000);
    state.run("x = nil collectgarbage()");
    CHECK(state.interp->used < before + 100000);
    CHECK(state.interp->peak > before + 1000000);
    CHECK(lua::interp(state.L) == state.interp);
    CHECK(*static_cast<void **>(lua_getextraspace(state.L)) == nullptr);
}

TEST_CASE("a full interpreter raises and lives on") {
    State state(true, 8 * 1024 * 1024);
    CHECK(state.run("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end") ==
          "error: not enough memory");
    CHECK(state.interp->refused > 0);
    CHECK(state.interp->used <= state.interp->limit);
    CHECK(state.run("return ('x'):rep(20000000)") == "error: not enough memory");
    CHECK(state.run("collectgarbage() return 1 + 1") == "2");
    lua::push_out_of_memory(state.L);
    CHECK(lua::is_error(state.L, -1));
}

TEST_CASE("a full stack is told from full memory, and garbage makes room for a stack") {
    State state(true, 8 * 1024 * 1024);
    state.run("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end");
    CHECK(state.run("return #('x'):rep(100000)") == "100000");
    lua_pushcfunction(state.L, [](lua_State *L) {
        lua::need_stack(L, 900 * 1000);
        return 0;
    });
    CHECK(lua_pcall(state.L, 0, 0, 0) == LUA_ERRRUN);
    CHECK(lua::is_error(state.L, -1));
    State roomy;
    lua_pushcfunction(roomy.L, [](lua_State *L) {
        lua::need_stack(L, 10 * 1000 * 1000);
        return 0;
    });
    CHECK(lua_pcall(roomy.L, 0, 0, 0) == LUA_ERRRUN);
    CHECK(lua_type(roomy.L, -1) == LUA_TSTRING);
    CHECK(roomy.result("") == "stack overflow");
}

TEST_CASE("an interpreter that does not fit is not made, wherever memory ends") {
    State whole;
    std::size_t needed = whole.interp->peak;
    for (std::size_t limit = 100; limit < needed; limit += limit < 5000 ? 300 : 3001) {
        State state(true, limit);
        CHECK(state.interp == nullptr);
    }
    State fits(true, needed + 4096);
    CHECK(fits.interp != nullptr);
}

TEST_CASE("external memory counts against the limit and drives the collector") {
    State state(true, 64 * 1024 * 1024);
    lua_gc(state.L, LUA_GCCOLLECT);
    CHECK_FALSE(lua::account_would_exceed(state.L, 32 << 20));
    CHECK(lua::account_would_exceed(state.L, 64 << 20));
    lua::account_external(state.L, 60 << 20);
    CHECK(state.run("return ('x'):rep(8000000)") == "error: not enough memory");
    lua::account_external(state.L, -(60 << 20));
    CHECK(state.interp->external == 0);
    CHECK(state.run("return #('x'):rep(8000000)") == "8000000");

    state.run("collected = 0 for i = 1, 100 do setmetatable({}, {__gc = function() collected = "
              "collected + 1 end}) end");
    for (int i = 0; i < 100; ++i)
        lua::account_external(state.L, 1 << 20), lua::account_external(state.L, -(1 << 20));
    CHECK(state.run("return collected") == "100");
}

TEST_CASE("embedded modules") {
    for (bool trusted : {true, false}) {
        State state(trusted);
        CHECK(state.run("local m = require 'stub_good' return m.name .. tostring(m == require "
                        "'stub_good')") == "stub_goodtrue");
        CHECK(state.run("require('stub_good').fail()") ==
              "error: lua/stub_good.lua:3: from inside");
        CHECK(state.run("require('stub_broken')")
                  .find("lua/stub_broken.lua:2: unexpected symbol near '='") != std::string::npos);
        CHECK(state.run("return tostring(pcall(require, 'stub.part'))") ==
              (trusted ? "false" : "true"));
        CHECK(state.run("return require('stub_good').env == _G") == (trusted ? "false" : "true"));
        CHECK(lua::find_embedded("stub") == nullptr);
        CHECK(lua::load_embedded(state.L, "stub") == 0);
        CHECK(lua_gettop(state.L) == 0);
    }
}

namespace {

int depth_of_finalizers(lua_State *L) {
    lua_pushinteger(L, lua::interp(L)->finalizers);
    return 1;
}

} // namespace

TEST_CASE("finalizers") {
    State state;
    lua_pushcfunction(state.L, depth_of_finalizers);
    lua::set_global(state.L, "depth");
    state.run("log = {} mt = {__gc = function(o) log[#log + 1] = o.name .. depth() end, __index = "
              "{kind = 'k'}}"
              "local o = setmetatable({name = 'a'}, mt) kind = o.kind same = getmetatable(o) == mt "
              "o = nil collectgarbage()");
    CHECK(state.run("return log[1] .. kind .. tostring(same) .. depth()") == "a1ktrue0");
    SUBCASE("the present __gc runs, not that of the time of setmetatable") {
        state.run("local o = setmetatable({name = 'b'}, mt) mt.__gc = function() log[#log + 1] = "
                  "'changed' end "
                  "o = nil collectgarbage()");
        CHECK(state.run("return log[#log]") == "changed");
    }
    SUBCASE("fields that went away are gone at the next setmetatable") {
        CHECK(state.run("mt.__index = nil mt.__len = function() return 42 end local o = "
                        "setmetatable({}, mt) "
                        "return tostring(o.kind) .. #o") == "nil42");
    }
    SUBCASE("errors and yields are warnings") {
        CHECK(state.run("setmetatable({}, {__gc = error}) setmetatable({}, {__gc = "
                        "coroutine.yield}) collectgarbage() "
                        "return depth()") == "0");
    }
    SUBCASE("a protected metatable stays") {
        CHECK(state.run(
                  "return setmetatable(setmetatable({}, {__metatable = 1, __gc = type}), {})") ==
              "error: test:1: cannot change a protected metatable");
        CHECK(state.run(
                  "return getmetatable(setmetatable({}, {__metatable = 'mine', __gc = type}))") ==
              "mine");
    }
    SUBCASE("arguments are checked as ever") {
        CHECK(state.run("setmetatable({})") == "error: test:1: bad argument #2 to 'setmetatable' "
                                               "(nil or table expected, got no value)");
        CHECK(state.run("setmetatable('', {})") ==
              "error: test:1: bad argument #1 to 'setmetatable' (table expected, got string)");
        CHECK(state.run("getmetatable()") ==
              "error: test:1: bad argument #1 to 'getmetatable' (value expected)");
        CHECK(state.run("local t = {} return setmetatable(t, nil) == t") == "true");
    }
    SUBCASE("they run at the end of the state") {
        state.run("setmetatable({}, {__gc = function() local t = {} for i = 1, 1000 do t[i] = {} "
                  "end end})");
    }
}
