// pcall, xpcall, lpcall and load: the boundaries at which Lua code catches errors. See protect.h
// for the contracts.
//
// A level of pcall holds nothing in the server until the database is used inside it. An error the
// server raised stays pending until a subtransaction that was open at the time has been rolled
// back; each boundary here raises it again if it still is.
#include "api/lang/protect.h"

#include "api/api.h"
#include "api/lang/errors.h"
#include "lua/error.h"
#include "lua/gc_guard.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "lua/stack.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/reserve.h"
#include "pg/subxact.h"

namespace pllua_bg::api {

namespace {

// How often, in instructions, code that goes on after a cancel is stopped again.
// Room enough for a finalizer.
constexpr int kFinalErrorHookCount = 1000;

// The levels at and above this one belong to the running coroutine.
int coroutine_base = 0;

void raise_if(lua_State *L, ErrorData *error) {
    if (error != nullptr) pg::raise_in_lua(L, error);
}

// The number of the new level among those of the coroutine: it is another one of the backend's when
// the coroutine goes on elsewhere.
int open_level(lua_State *L) {
    ErrorData *error;
    const int index = pg::push_level(&error);
    raise_if(L, error);
    return index - coroutine_base;
}

// Ends a level, with what was begun and not ended inside, after the protected call has returned.
// True when it succeeded; else the error value is on top of the stack and what the call had done in
// the database is undone. Errors: lua: an error that may not be caught.
bool close_level(lua_State *L, int status, int level) {
    const int index = coroutine_base + level;
    const bool returned = status == LUA_OK || status == LUA_YIELD;
    if (returned && pg::pending_error() == nullptr) {
        raise_if(L, pg::release_levels(index));
        return true;
    }
    if (status == LUA_ERRMEM) {
        pg::release_reserve();
        lua_pop(L, 1);
        lua::push_out_of_memory(L);
    }
    ErrorData *swallowed = returned ? pg::copy_pending() : nullptr;
    ErrorData *error = pg::rollback_levels(index);
    if (error != nullptr || pg::pending_error() != nullptr) {
        pg::free_error(swallowed);
        raise_if(L, error);
        raise_pending(L);
    }
    if (swallowed != nullptr) {
        // Code inside went on as if nothing had happened.
        // The error is the result of the call all the same.
        push_error_data(L, swallowed);
        pg::free_error(swallowed);
    }
    return false;
}

// The stack is: true, results... or anything, error value.
int finish_pcall(lua_State *L, int status, lua_KContext level) {
    if (close_level(L, status, static_cast<int>(level))) return lua_gettop(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

int protected_call(lua_State *L) {
    lua::check_stack(L);
    luaL_checkany(L, 1);
    const int level = open_level(L);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    const int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, level, finish_pcall);
    return finish_pcall(L, status, level);
}

// The message handler of a handler (upvalue 1): it gets its own errors, as in Lua; those of the
// server end it.
int handle_again(lua_State *L) {
    const lua::ErrorFields *fields = lua::error_fields(L, 1);
    if (pg::pending_error() != nullptr || (fields != nullptr && fields->passes)) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

// The stack is: anything, the result of the handler or its last error value.
int finish_handler(lua_State *L, int status, lua_KContext) {
    if (status != LUA_OK && status != LUA_YIELD) pass_on(L);
    raise_pending(L);
    lua_pushboolean(L, 0);
    lua_replace(L, 1);
    return 2;
}

// The stack is: handler, true, results... or handler, true, error value. The handler runs outside
// the level, in the caller's transaction state, unless it was the message handler already; the
// context is that, and twice the level.
int finish_xpcall(lua_State *L, int status, lua_KContext context) {
    const bool handled = (context & 1) != 0;
    if (close_level(L, status, static_cast<int>(context / 2))) return lua_gettop(L) - 1;
    if (lua_gettop(L) > 3) {
        lua_replace(L, 3);
        lua_settop(L, 3);
    }
    if (handled) {
        lua_pushboolean(L, 0);
        lua_replace(L, 2);
        return 2;
    }
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, handle_again, 1);
    lua_replace(L, 1);
    status = lua_pcallk(L, 1, 1, 1, 0, finish_handler);
    return finish_handler(L, status, 0);
}

// debug.traceback describes the stack at the place of the error,
// so it has to run there; it uses no database.
bool is_traceback(lua_State *L, int idx) {
    return lua_tocfunction(L, idx) != nullptr &&
           lua_tocfunction(L, idx) == lua_tocfunction(L, lua_upvalueindex(1));
}

int protected_call_with_handler(lua_State *L) {
    lua::check_stack(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    const int handled = is_traceback(L, 2) ? 1 : 0;
    const int context = open_level(L) * 2 + handled;
    // function, handler, arguments... becomes handler, true, function, arguments...
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_replace(L, 1);
    lua_pushboolean(L, 1);
    lua_replace(L, 2);
    lua_insert(L, 3);
    const int status =
        lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, handled, context, finish_xpcall);
    return finish_xpcall(L, status, context);
}

// pllua's lpcall: no level, so only errors of Lua itself can be caught.
int finish_lua_only(lua_State *L, int status, lua_KContext) {
    raise_pending(L);
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
    pass_on(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

int protected_call_lua_only(lua_State *L) {
    lua::check_stack(L);
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    const int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_lua_only);
    return finish_lua_only(L, status, 0);
}

// load returns what its reader raised instead of raising it.
int load_text(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    pass_on(L);
    return lua_gettop(L);
}

// Replaces the function `load` of the table on top of the stack, which is popped.
void wrap_load(lua_State *L) {
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "load");
        lua_pushcclosure(L, load_text, 1);
        lua_setfield(L, -2, "load");
    }
    lua_pop(L, 1);
}

void stop_again(lua_State *L, lua_Debug *) {
    raise_pending(L);
    lua_sethook(L, nullptr, 0, 0);
}

// The levels a suspended coroutine is inside of have no subtransaction: their number is all there
// is to keep. False, and none of them, when memory is short.
bool push_levels(int count) {
    const int base = pg::level_count();
    for (; count > 0; count--) {
        ErrorData *error;
        pg::push_level(&error);
        if (error == nullptr) continue;
        pg::free_error(error);
        pg::free_error(pg::release_levels(base));
        return false;
    }
    return true;
}

// Ends the subtransactions that a coroutine has begun and left. What it swallowed stays pending.
void end_left_open(int base, bool returned) {
    ErrorData *swallowed = nullptr;
    ErrorData *error;
    if (returned && pg::pending_error() == nullptr) {
        error = pg::release_levels(base);
        if (error != nullptr) pg::note_pending(error);
    } else {
        if (returned) swallowed = pg::copy_pending();
        error = pg::rollback_levels(base);
        if (swallowed != nullptr) pg::note_pending(swallowed);
    }
    pg::free_error(error);
    pg::free_error(swallowed);
}

} // namespace

int first_own_level() { return coroutine_base; }

void stop_soon(lua_State *L) { lua_sethook(L, stop_again, LUA_MASKCOUNT, kFinalErrorHookCount); }

void serve_server_interrupt(lua_State *L) {
    if (!pg::pending_is_final()) {
        ErrorData *error = pg::attempt([] { CHECK_FOR_INTERRUPTS(); });
        if (error == nullptr) return;
        pg::note_pending(error);
        pg::free_error(error);
    }
    stop_soon(L);
    raise_pending(L);
}

// Lua makes the error of a finalizer a warning, so the code it has interrupted must learn of a
// cancel another way. After one no finalizer of user code runs.
int resume_finalizer(lua_State *co, lua_State *from, int nargs, int *nresults) {
    *nresults = 0;
    if (pg::pending_is_final()) return LUA_OK;
    const char *outer_closed = pg::database_closed;
    pg::database_closed = "by a finalizer";
    const int status = resume(co, from, nargs, nresults);
    pg::database_closed = outer_closed;
    if (pg::pending_is_final()) lua_sethook(from, stop_again, LUA_MASKCOUNT, 1);
    return status;
}

int resume(lua_State *co, lua_State *from, int nargs, int *nresults) {
    const int base = pg::level_count();
    const int outer_base = coroutine_base;
    auto *parked = static_cast<intptr_t *>(lua_getextraspace(co));
    if (!push_levels(static_cast<int>(*parked))) {
        lua_pop(co, nargs);
        lua::push_out_of_memory(co);
        return LUA_ERRMEM;
    }
    *parked = 0;
    coroutine_base = base;
    if (pg::pending_is_final()) stop_soon(co);
    const int status = lua::resume(co, from, nargs, nresults);
    coroutine_base = outer_base;
    if (status == LUA_YIELD) {
        *parked = pg::level_count() - base;
        pg::free_error(pg::release_levels(base));
    } else if (pg::level_count() > base) {
        end_left_open(base, status == LUA_OK);
    }
    return status;
}

int call(lua_State *thread, int nargs, int nresults, int message_handler) {
    const int base = pg::level_count();
    const int outer_base = coroutine_base;
    coroutine_base = base;
    if (pg::pending_is_final()) stop_soon(thread);
    const int status = lua::call(thread, nargs, nresults, message_handler);
    coroutine_base = outer_base;
    if (pg::level_count() > base) end_left_open(base, status == LUA_OK);
    return status;
}

int close_thread(lua_State *co) {
    // Lua begins a new count of C calls here.
    if (lua::hooks.stack_is_too_deep()) [[unlikely]] {
        if (lua_checkstack(co, 1)) lua::push_stack_too_deep(co);
        return LUA_ERRERR;
    }
    lua_State *outer = lua::running;
    lua::running = co;
    if (pg::pending_is_final()) stop_soon(co);
    const int status = lua_resetthread(co);
    lua::running = outer;
    *static_cast<intptr_t *>(lua_getextraspace(co)) = 0;
    return status;
}

void check_yieldable(lua_State *L) {
    if (pg::has_scope(coroutine_base))
        lua::raise(L, "0A000", "cannot yield inside a subtransaction");
    if (pg::levels_own_subtransaction(coroutine_base))
        lua::raise_hint(L, "0A000",
                        "Yield before the first use of the database inside pcall, or outside it.",
                        "cannot yield inside a pcall that has used the database");
}

bool may_yield(lua_State *L) {
    return lua_isyieldable(L) != 0 && !pg::levels_own_subtransaction(coroutine_base);
}

void open_protect(lua_State *L) {
    lua_pushcfunction(L, protected_call);
    lua::set_global(L, "pcall");
    lua_pushcfunction(L, protected_call_lua_only);
    lua::set_global(L, "lpcall");
    lua_getglobal(L, "debug");
    lua_getfield(L, -1, "traceback");
    lua_remove(L, -2);
    lua_pushcclosure(L, protected_call_with_handler, 1);
    lua::set_global(L, "xpcall");
    lua_pushglobaltable(L);
    wrap_load(L);
    lua::push_sandbox(L);
    wrap_load(L);
}

} // namespace pllua_bg::api
