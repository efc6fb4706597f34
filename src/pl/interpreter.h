// The Lua interpreters of this backend: one for each role that runs trusted code, one for untrusted
// code. Owns them with their memory contexts and their threads; they live until the backend ends.
#pragma once

#include "lua/lua_api.h"
#include "lua/state.h"
#include "pg/list.h"
#include "pg/server.h"

namespace pllua_bg::pl {

struct Function;

struct Interpreter {
    lua_State *main; // runs short service calls, never user code
    lua::Interp *lua;
    Oid user; // InvalidOid: the untrusted one
    bool trusted;
    bool started;   // its start-up code has run
    bool starting;  // it runs just now
    bool proc_done; // its start_proc, too
    MemoryContext memory;
    HTAB *functions;                   // function.cpp
    pg::LinkedList<Function> detached; // replaced versions that may still be running
    bool has_suspects;                 // some function may have been dropped
    size_t settled;        // bytes held after the latest collection at the end of a call
    lua_State **idle;      // threads nobody uses; room for all of them
    lua_State **abandoned; // threads to be forgotten at the next occasion; room for all of them
    int idle_count;
    int abandoned_count;
    int thread_count;
    int capacity;
    Interpreter *before;
    Interpreter *after;
};

// All interpreters of this backend.
extern pg::LinkedList<Interpreter> interpreters;

// What of an interpreter's start has to be done by now. A function is checked without start_proc,
// which could otherwise not be made good again.
enum class StartUp { kNone, kCode, kAll };

// The interpreter in which code of the current user runs; made when there is none,
// and its start-up code run when it has not and the caller wants that.
// Errors: pg (53200, and those of the start-up code).
Interpreter *find_interpreter(bool trusted, StartUp start_up = StartUp::kAll);

// The limit of its memory from now on: pllua_bg.memory_limit, and where next to nothing is left of
// that, a little more, so that code can let go of what an earlier call has kept. Errors: none.
void renew_limit(Interpreter *interpreter);

// At the end of an outermost call: where far more is held than after the latest collection,
// collects all garbage (no finalizers of users run) and gives memory back to the system. Errors:
// none.
void settle_memory(Interpreter *interpreter);

// A thread with an empty stack that nobody uses; nullptr when there is no memory for one.
// Errors: none.
lua_State *take_thread(Interpreter *interpreter);
// Gives back a thread that has ended, or that api::close_thread has made new. Errors: none.
void give_thread(Interpreter *interpreter, lua_State *thread);
// Forgets a thread that has been made new, and collects garbage: after an error for lack of memory
// or of stack. Runs finalizers. Errors: none.
void retire_thread(Interpreter *interpreter, lua_State *thread);
// Leaves a suspended thread to the collector: what it had to close is not closed. Runs no Lua code,
// so it may be called while a query is torn down. Errors: none.
void abandon_thread(Interpreter *interpreter, lua_State *thread);

// The hooks of the same names of pg::Hooks. Errors: none.
size_t largest_interpreter();
void collect_garbage();
void notice_interrupt();

} // namespace pllua_bg::pl
