// pcall with subtransactions, and what a coroutine must know of them. Owns nothing.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Resumes a coroutine for Lua code or for a handler: parks and restores its levels of pcall, tracks
// the running thread, re-checks interrupts. Results as lua_resume. The
// subtransactions that it leaves open are committed when it returned (what fails then is pending),
// else rolled back. Errors: none (the error value is on top of co).
int resume(lua_State *co, lua_State *from, int nargs, int *nresults);

// lua::call() on an idle thread, for a handler whose code cannot yield: what resume() does without
// the coroutine. Errors: none (the error value is on top).
int call(lua_State *thread, int nargs, int nresults, int message_handler);

// Runs what a suspended or failed coroutine has left to close and makes it new.
// LUA_OK, or an error status with the error value on top of co.
// An error value has to be on top of co when its status is one. Where the stack is too deep nothing
// is closed (54001) and co should not be used again. Errors: none.
int close_thread(lua_State *co);

// Stops the code of a thread again and again, while an error is pending that may not be caught.
// Errors: none.
void stop_soon(lua_State *L);

// True when nothing runs in co: it is suspended, has not started, has ended or has failed.
bool may_be_closed(lua_State *L, lua_State *co);

// The server's pending interrupts in running Lua code, and finalizers: what lua::Hooks says of
// serve_interrupt and resume_finalizer. Errors: lua; none.
void serve_server_interrupt(lua_State *L);
int resume_finalizer(lua_State *co, lua_State *from, int nargs, int *nresults);

// The first level of the running coroutine: those below belong to others. Errors: none.
int first_own_level();

// Where the body of a set-returning function yields its rows to.
// The handler that runs `thread` owns it.
struct RowSink {
    lua_State *thread;
    bool stores; // the thread goes on after each row; otherwise it is suspended
    // Takes what is on the stack of the thread as one row. Errors: lua.
    void (*take)(lua_State *L, RowSink *sink);
};
// The one in use; null when no such body runs. Set around resume() by the handler.
extern RowSink *row_sink;

// Raises unless the running coroutine may yield: it may not inside a pcall
// that has used the database.
void check_yieldable(lua_State *L);
// The same as an answer, false also where Lua itself does not let a coroutine yield. Errors: none.
bool may_yield(lua_State *L);

} // namespace pllua_bg::api
