// What trusted code sees, and what it must not reach.
#include <doctest/doctest.h>

#include "lua_support.h"

using namespace unit;

TEST_CASE("the globals of trusted code are exactly these") {
    State state;
    CHECK(state.run("local t = {} for k in next, _G do t[#t + 1] = k end table.sort(t) return "
                    "table.concat(t, ' ')") ==
          "_G _VERSION assert bit32 collectgarbage coroutine debug error getmetatable ipairs load "
          "math next os package pairs pcall "
          "print rawequal rawget rawlen rawset require select setmetatable string table tonumber "
          "tostring type utf8 warn xpcall");
    CHECK(
        state.run("local t = {} for _, l in ipairs {'os', 'debug', 'string', 'package', "
                  "'coroutine'} do for k in next, _G[l] do "
                  "t[#t + 1] = l .. '.' .. k end end table.sort(t) return table.concat(t, ' ')") ==
        "coroutine.close coroutine.create coroutine.isyieldable coroutine.resume coroutine.running "
        "coroutine.status coroutine.wrap "
        "coroutine.yield debug.traceback os.clock os.date os.difftime os.time package.loaded "
        "package.preload package.require "
        "package.searchers string.byte string.char string.find string.format string.gmatch "
        "string.gsub string.len string.lower "
        "string.match string.pack string.packsize string.rep string.reverse string.sub "
        "string.unpack string.upper");
}

TEST_CASE("untrusted code sees everything") {
    State state(false);
    CHECK(state.run("return type(io.open) .. type(os.execute) .. type(debug.getregistry) .. "
                    "type(string.dump) .. type(dofile) .. "
                    "type(package.path)") == "functionfunctionfunctionfunctionfunctionstring");
    CHECK(state.run("return getmetatable('')") == "true");
    CHECK(state.run("return #load(string.dump(function() return 'abc' end))()") == "3");
}

TEST_CASE("nothing reachable in the sandbox is the state's own globals or a dangerous function") {
    State state;
    lua_getglobal(state.L, "io");
    lua_setfield(state.L, LUA_REGISTRYINDEX, "unit.io");
    CHECK(state.run(R"(
        local seen, bad = {}, {}
        local function walk(path, value)
            local plain = {string = true, number = true, boolean = true}
            if plain[type(value)] or seen[value] then return end
            seen[value] = path
            if type(value) == 'table' then
                for k, v in next, value do
                    walk(path .. '.' .. tostring(k), v)
                    walk(path .. '<key>', k)
                end
            end
            local mt = getmetatable(value)
            if type(mt) == 'table' then walk(path .. '<mt>', mt) end
        end
        walk('_G', _G)
        for value, path in next, seen do
            for _, word in ipairs {'dump', 'execute', '%.io', 'loadfile'} do
                if path:find(word) then bad[#bad + 1] = path end
            end
        end
        return #bad)") == "0");
}

TEST_CASE("ways out of the sandbox are closed") {
    State state;
    CHECK(state.run("return tostring(string.dump) .. tostring(('').dump)") == "nilnil");
    CHECK(state.run("return select(2, load('\\27Lua', 'x', 'b'))") ==
          "attempt to load a binary chunk (mode is 't')");
    CHECK(state.run("return select(2, load(function() return '\\27Lua' end, 'x', 'bt'))") ==
          "attempt to load a binary chunk (mode is 't')");
    CHECK(state.run("return load('return 5', 'x', 'b')()") == "5");
    CHECK(state.run("return load('return _G')() == _G") == "true");
    CHECK(state.run("return load('return _ENV')() == _G") == "true");
    CHECK(state.run("x = 1 return load('return x')()") == "1");
    CHECK(state.run("return load('return x', 'c', 't', {x = 7})()") == "7");
    CHECK(state.run("return getmetatable('')") == "true");
    CHECK(state.run("setmetatable('', {})").starts_with("error:"));
    CHECK(state.run("string.zork = type return tostring(('x').zork)") == "nil");
    CHECK(state.run("string.len = error return ('x'):len()") == "1");
    CHECK(state.run("return os.date(('%c'):rep(100000))") == "error: test:1: date format too long");
    CHECK(state.run("return os.date('!%Y', 0)") == "1970");
    for (const char *name : {"io", "debugger", "_G", "pllua.trusted", "lpeg", "ffi"})
        CHECK(state.run("return require '" + std::string(name) + "'") ==
              "error: test:1: module '" + std::string(name) +
                  "' not found:\n\tno field package.preload['" + name + "']\n\tno module '" + name +
                  "' in list of allowed modules");
    CHECK(state.run("package.loaded._G = nil return type(require 'string')") == "table");
}

TEST_CASE("the sandbox has its own require") {
    State state;
    CHECK(state.run("package.preload.zz = function(...) return {n = select('#', ...), ...} end "
                    "local z, extra = require 'zz' "
                    "return z.n .. z[1] .. z[2] .. extra .. tostring(require 'zz' == z)") ==
          "2zz:preload::preload:true");
    CHECK(state.run("package.preload.zn = function() end return require 'zn'") == "true");
    CHECK(state.run("package.preload.zf = function() return false end return require 'zf'") ==
          "false");
    CHECK(
        state.run(
            "package.preload.zs = function(n) package.loaded[n] = 'set' end return require 'zs'") ==
        "set");
    CHECK(state.run("table.insert(package.searchers, function(n) return 'nope ' .. n end) return "
                    "require 'foo'") ==
          "error: test:1: module 'foo' not found:\n\tno field package.preload['foo']\n\tno module "
          "'foo' in list of allowed modules"
          "\n\tnope foo");
    CHECK(state.run("package.searchers[3] = function(n) return function(...) return "
                    "table.concat({...}, ',') end, 'extra' end "
                    "return require 'foo'") == "foo,extra");
    CHECK(state.run("package.searchers = nil return require 'foo2'") ==
          "error: test:1: 'package.searchers' must be a table");
    CHECK(state.run("return require()") ==
          "error: test:1: bad argument #1 to 'require' (string expected, got no value)");
}

namespace {

// Runs text with the state's real globals, as start-up code of the administrator runs.
std::string run_private(State &state, const char *text) {
    if (luaL_loadstring(state.L, text) != LUA_OK || lua_pcall(state.L, 0, 1, 0) != LUA_OK)
        return state.result("error: ");
    return state.result("");
}

} // namespace

TEST_CASE("pllua.trusted lets modules in") {
    State state;
    const char kPrepare[] = "package.preload.mymod = function() return {a = 1, b = {c = 2}, f = "
                            "function() return 'f' end} end "
                            "T = require 'pllua.trusted' real = require 'mymod'";
    REQUIRE(run_private(state, kPrepare) == "nil");
    CHECK(state.run("return require 'mymod'").starts_with("error:"));
    CHECK(run_private(state, "T.allow 'mymod'") == "nil");
    CHECK(state.run("local m = require 'mymod' m.a = 7 m.b.c = 8 return m.a .. m.b.c .. m.f() .. "
                    "tostring(getmetatable(m))") == "78ftrue");
    CHECK(run_private(state, "return real.a .. real.b.c") == "12");
    for (const char *mode : {"direct", "copy", "scopy", "proxy", "sproxy"}) {
        std::string name = mode;
        CHECK(run_private(state, ("T.allow('mymod', 'm_" + name + "', '" + name + "')").c_str()) ==
              "nil");
        CHECK(state.run("local m = require 'm_" + name + "' return m.a .. m.b.c .. m.f()") ==
              "12f");
    }
    CHECK(run_private(state, "return tostring(T.sandbox.require('m_direct') == real) .. "
                             "tostring(T.sandbox.require('m_copy').b == real.b) .. "
                             "tostring(T.sandbox.require('m_scopy').b == real.b) .. "
                             "tostring(rawget(T.sandbox.require('m_sproxy'), 'b'))") ==
          "truefalsetruenil");
    CHECK(run_private(state, "T.allow('mymod', 'x', 'zork')")
              .find("trusted.modes value is not a function") != std::string::npos);
    CHECK(run_private(state, "T.require('mymod', 'rm')") == "nil");
    CHECK(state.run("return rm.a") == "1");
    CHECK(run_private(state, "T.allow({'mymod', {'mymod', 'tm', nil, 'tglobal'}})") == "nil");
    CHECK(state.run("return require('tm').a + tglobal.a") == "2");
    CHECK(run_private(state, "T.remove('tm', 'tglobal') T.remove('mymod')") == "nil");
    CHECK(state.run("return tostring(tglobal) .. tostring(pcall(require, 'tm'))") == "nilfalse");
    CHECK(state.run("return require 'mymod'").starts_with("error:"));
    CHECK(run_private(state, "T.allow('missing')") == "nil");
    CHECK(state.run("return require 'missing'").find("module 'missing' not found") !=
          std::string::npos);
    CHECK(run_private(state, "T.allow('mymod', 'mf', function(m) return {wrapped = m} end)") ==
          "nil");
    CHECK(state.run("return require 'mf'.wrapped.a") == "1");
}

TEST_CASE("pllua.trusted does nothing in an untrusted state") {
    State state(false);
    CHECK(state.run("local t = require 'pllua.trusted' t.allow('string') return type(t.sandbox)") ==
          "table");
}

TEST_CASE("modules, globals and library members reach both environments") {
    State state;
    lua_pushinteger(state.L, 5);
    lua::set_global(state.L, "five");
    lua_pushinteger(state.L, 6);
    lua::set_module(state.L, "six");
    lua_pushinteger(state.L, 7);
    lua::set_private_module(state.L, "seven");
    lua_pushinteger(state.L, 8);
    lua::set_library_member(state.L, "coroutine", "eight");
    CHECK(lua_gettop(state.L) == 0);
    CHECK(state.run("return five + require 'six' + coroutine.eight") == "19");
    CHECK(run_private(state, "return five + require 'six' + require 'seven' + coroutine.eight") ==
          "26");
    CHECK(state.run("return require 'seven'").starts_with("error:"));
}
