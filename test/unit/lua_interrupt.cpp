// Interrupts reach Lua code and library functions, whatever runs. A timer signal takes the place of
// the server's.
#include <csignal>
#include <ctime>

#include <sys/time.h>

#include <doctest/doctest.h>

#include "lua_support.h"

using namespace unit;

namespace {

volatile int flag = 0;

void on_timer(int) {
    flag = 1;
    lua::arm(lua::running);
}

void cancel(lua_State *L) {
    flag = 0;
    lua::raise(L, "57014", "canceling");
}

double now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Timer {
    struct sigaction before;
    Timer() {
        struct sigaction action = {};
        action.sa_handler = on_timer;
        sigaction(SIGALRM, &action, &before);
        lua::hooks.interrupt_flag = &flag;
        lua::hooks.serve_interrupt = cancel;
        lua::hooks.resume_finalizer = lua::resume;
    }
    ~Timer() {
        static volatile int none = 0;
        sigaction(SIGALRM, &before, nullptr);
        lua::hooks.interrupt_flag = &none;
        flag = 0;
    }
    static void start(int milliseconds) {
        itimerval time = {{0, 0}, {0, milliseconds * 1000}};
        setitimer(ITIMER_REAL, &time, nullptr);
    }
};

// lua::call is what a handler uses; coroutines go through lua::resume.
int own_resume(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    int results;
    int status = lua::resume(co, L, 0, &results);
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_xmove(co, L, 1);
    return lua_error(L);
}

// Everything below ran at most this long after the timer on the slowest machine seen; the work
// itself would take minutes or for ever.
constexpr double kPatience = 3.0;

void check_canceled(const std::string &text, const std::string &prepare = "") {
    State state(true);
    lua_pushcfunction(state.L, own_resume);
    lua::set_global(state.L, "resume");
    std::string prepared = state.run(prepare);
    CAPTURE(text);
    CAPTURE(prepared);
    Timer timer;
    Timer::start(50);
    double begin = now();
    CHECK(state.run(text) == "error: ERROR: 57014 canceling");
    CHECK(now() - begin < kPatience);
    CHECK(lua::running == nullptr);
    Timer::start(0);
}

} // namespace

TEST_CASE("Lua code can be canceled wherever it loops") {
    check_canceled("while true do end");
    check_canceled("for i = 1, 1e18 do end");
    check_canceled("repeat local x = type(1) until false");
    check_canceled("local function f() return f() end f()");
    check_canceled("::a:: goto a");
    check_canceled("resume(coroutine.create(function() while true do end end))");
    check_canceled("local co = coroutine.create(function() while true do coroutine.yield() end "
                   "end) while true do resume(co) end");
    check_canceled("while true do resume(coroutine.create(function() end)) end");
    check_canceled("resume(coroutine.create(function() resume(coroutine.create(function() while "
                   "true do end end)) end))");
}

TEST_CASE("a finalizer that never ends can be canceled") {
    State state(true);
    Timer timer;
    Timer::start(50);
    double begin = now();
    CHECK(state.run("setmetatable({}, {__gc = function() while true do end end}) collectgarbage() "
                    "return 'went on'") == "went on");
    CHECK(now() - begin < kPatience);
    SUBCASE("when __gc was set behind setmetatable's back") {
        Timer::start(50);
        CHECK(state.run("local mt = {__gc = type} setmetatable({}, mt) mt.__gc = function() while "
                        "true do end end collectgarbage() "
                        "return 'went on'") == "went on");
    }
    SUBCASE("in a coroutine") {
        Timer::start(50);
        lua_pushcfunction(state.L, own_resume);
        lua::set_global(state.L, "resume");
        CHECK(state.run("setmetatable({}, {__gc = function() resume(coroutine.create(function() "
                        "while true do end end)) end}) "
                        "collectgarbage() return 'went on'") == "went on");
    }
}

TEST_CASE("patterns can be canceled") {
    check_canceled("return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(41))");
    check_canceled("return (('a'):rep(60)):find(('a*'):rep(30) .. 'b')");
    check_canceled("return (('a'):rep(60)):match(('(a-)'):rep(20) .. 'b')");
    check_canceled("for w in (('a'):rep(60)):gmatch(('a*'):rep(30) .. 'b') do end");
    check_canceled("return (('a'):rep(60)):gsub(('a*'):rep(30) .. 'b', '')");
    check_canceled("return (('a'):rep(300000)):find('.-.-b')");
    check_canceled("return (('a'):rep(1000000)):find(('a'):rep(500000) .. 'b.')");
    check_canceled("return (('a('):rep(1000000)):find('%b()')");
    check_canceled("return (('ab'):rep(3000000)):find('(a.*)%1c')");
    check_canceled("return (('a'):rep(2000000)):find('[^b]+b')");
    check_canceled("return (('a'):rep(2000000)):find('%w+b')");
    check_canceled("local s = ('a'):rep(1000) while true do s = s:gsub('a', 'b') end");
}

TEST_CASE("table functions can be canceled") {
    check_canceled("table.move({}, 1, 1 << 60, 2)");
    check_canceled("table.move({}, 1, 1 << 60, 1, {})");
    check_canceled(
        "table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 'x')");
    check_canceled("table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)");
    check_canceled("table.concat(setmetatable({}, {__index = tostring}), '', 1, 1 << 40)");
    check_canceled(
        "table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 60)");
    check_canceled("table.sort(t)", "t = {} local s = ('x'):rep(20000000) local a, b = s .. 1, s "
                                    ".. 2 for i = 1, 5000 do t[i] = i % 2 == 0 and a or b end");
    check_canceled("table.sort(t, function(a, b) return a < b end)",
                   "t = {} for i = 1, 1000000 do t[i] = i * 7919 % 1000003 end");
    check_canceled("while true do table.sort(t) end",
                   "t = {} for i = 1, 100000 do t[i] = i % 2 == 0 and i or i / 3 end");
    check_canceled("while true do t[1], t[#t] = t[#t], t[1] table.sort(t) end",
                   "t = {} for i = 1, 1000 do t[i] = 'k' .. i end");
}

TEST_CASE("other library functions can be canceled") {
    check_canceled("while true do local s = ('x'):rep(50000000) end");
    check_canceled("return ('%q'):format(s)", "s = ('\\1'):rep(30000000)");
    check_canceled("load(s)", "s = ('x=1 '):rep(20000000)");
    check_canceled("load(function() return s end)", "s = ('x=1 '):rep(2000000)");
    check_canceled("while true do utf8.len(s) end", "s = ('x'):rep(30000000)");
}

TEST_CASE("a hook that was armed for nothing does nothing") {
    State state;
    Timer timer;
    flag = 0;
    lua::arm(state.L);
    CHECK(state.run("local n = 0 for i = 1, 10 do n = n + i end return n") == "55");
    CHECK(lua_gethookmask(state.L) == 0);
    lua::arm(nullptr);
}
