// Primitives for Lua code that schedules coroutines (lua/bg/scheduler.lua).
#include "api/bg/bg.h"

#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "lua/error.h"
#include "lua/stack.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "session/shared/slot_waiters.h"

namespace pllua_bg::api {

namespace {

// Registry keys of the functions that take the place of exec and of the wait of a stream.
constexpr char kCooperativeExec = 0;
constexpr char kCooperativeRows = 0;

bool push_function(lua_State *L, const char *key) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TFUNCTION) return true;
    lua_pop(L, 1);
    return false;
}

// cooperate(exec, rows): from now on exec calls the first, with its own arguments,
// and a stream that has to wait the second, with the handle and itself.
// Without arguments both wait themselves again.
int cooperate(lua_State *L) {
    lua_settop(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kCooperativeRows);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kCooperativeExec);
    return 0;
}

// may_yield(): whether the running coroutine may yield here.
int answer_may_yield(lua_State *L) {
    lua_pushboolean(L, may_yield(L));
    return 1;
}

// is_slot_awaited(): whether another backend waits for a worker slot.
int is_slot_awaited(lua_State *L) {
    bool awaited = false;
    pg::call_no_subxact(L, [&] { awaited = session::is_slot_awaited(); });
    lua_pushboolean(L, awaited);
    return 1;
}

// launch_wait(): the seconds that a launch waits for a worker slot by default.
int launch_wait(lua_State *L) {
    lua_pushnumber(L, pg::setting_launch_wait / 1000.0);
    return 1;
}

// close_threads(list, error): closes the coroutines of the list, what failed with that error. What
// is raised meanwhile is dropped, unless it may not be caught.
int close_threads(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    lua::check_stack(L);
    const auto n = static_cast<lua_Integer>(lua_rawlen(L, 1));
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_State *co = lua_tothread(L, 3);
        if (co != nullptr && may_be_closed(L, co) && lua_checkstack(co, 1)) {
            const int status = lua_status(co);
            lua_pushvalue(L, 2);
            if (status == LUA_OK || status == LUA_YIELD)
                lua_pop(L, 1);
            else
                lua_xmove(L, co, 1);
            (void)close_thread(co);
            lua_settop(co, 0);
        }
        lua_settop(L, 2);
    }
    raise_pending(L);
    return 0;
}

// add_context(error, text): the error with one more line in its context. A string becomes an error
// object; any other value stays as it is.
int add_context(lua_State *L) {
    const char *text = luaL_checkstring(L, 2);
    const lua::ErrorFields *old = lua::error_fields(L, 1);
    lua_settop(L, 2);
    if (old == nullptr && lua_type(L, 1) != LUA_TSTRING) {
        lua_pop(L, 1);
        return 1;
    }
    lua::ErrorFields fields = {};
    if (old != nullptr) {
        fields = *old;
    } else {
        fields.sqlstate = "38000";
        fields.message = lua_tostring(L, 1);
    }
    fields.context =
        fields.context == nullptr ? text : lua_pushfstring(L, "%s\n%s", fields.context, text);
    lua::push_error(L, fields);
    return 1;
}

} // namespace

bool push_cooperative_exec(lua_State *L) { return push_function(L, &kCooperativeExec); }
bool push_cooperative_rows(lua_State *L) { return push_function(L, &kCooperativeRows); }

// The rest of 'bg.core'; internal functions:
const luaL_Reg kSchedulingFunctions[] = {
    {"cooperate", cooperate},
    {"may_yield", answer_may_yield},
    {"is_slot_awaited", is_slot_awaited},
    {"launch_wait", launch_wait},
    {"close_threads", close_threads},
    {"add_context", add_context},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
