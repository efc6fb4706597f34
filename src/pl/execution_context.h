// Converter two: enters Lua from the server, and gives back what Lua code raised as a server error.
// Owns nothing; an ExecutionContext lives in the frame of the handler that opens it.
#pragma once

#include "api/lang/protect.h"
#include "lua/lua_api.h"
#include "pg/activation.h"
#include "pg/server.h"
#include "pl/interpreter.h"

namespace pllua_bg::pl {

struct Function;
struct CallSite;

// One activation with the thread it runs on. Trivially destructible by design.
struct ExecutionContext {
    pg::Activation activation; // its `call` points at this
    ErrorContextCallback callback;
    Interpreter *interpreter;
    lua_State *thread;
    lua_State *paused;  // the thread that was running when an execution inside this one was opened
    const char *name;   // what the error context says when no Lua code is on the stack
    Function *function; // held while the execution is open; may be null
    CallSite *site;     // may be null
    void *data;         // of the kind of call
    api::RowSink *sink; // where rows are yielded to; may be null
    char *trace;        // where the last uncaught error of Lua's own was raised; null when unknown
    uint64 number;      // unlike that of every other execution of this backend
};

// What open_execution() has to know beside the interpreter.
struct ExecutionOptions {
    Function *function = nullptr;
    CallSite *site = nullptr;
    lua_State *thread = nullptr; // a suspended one to go on with; null: a new one
    bool atomic = true;
    bool read_only = false;
};

// Begins an execution. After it, leave by close_execution(), suspend_execution() or an error of
// run_execution() only. Errors: pg (54001, 53200).
void open_execution(ExecutionContext *execution, Interpreter *interpreter, const char *name,
                    const ExecutionOptions &options = {});
// Runs body (its only argument is the light userdata `argument`, it returns nothing); nothing in it
// can yield. Errors: pg: what Lua raised; the execution is closed then.
void run_execution(ExecutionContext *execution, lua_CFunction body, void *argument);
// The same as a coroutine, that goes on with the suspended thread when body is null. True when it
// was suspended by a yield.
bool resume_execution(ExecutionContext *execution, lua_CFunction body, void *argument);
// run_execution() by hand: after begin_call() a function and its arguments are pushed, without
// anything that raises; finish_call() leaves all results from kFirstResult on.
void begin_call(ExecutionContext *execution);
void finish_call(ExecutionContext *execution, int nargs);
inline constexpr int kFirstResult = 2;
// Ends an execution whose thread has ended. Errors: pg.
void close_execution(ExecutionContext *execution);
// Ends an execution whose thread was suspended; the thread stays with the caller. Errors: pg: the
// thread is the caller's to abandon.
void suspend_execution(ExecutionContext *execution);
// Runs what a suspended thread has left to close, as the last thing in this execution. Errors: pg;
// the execution is closed then.
void finish_execution(ExecutionContext *execution);

// The execution that is running, and the one that has the number; nullptr when there is none.
ExecutionContext *current_execution();
ExecutionContext *find_execution(uint64 number);

// Writes the Lua functions that are active in a thread, the innermost first, a line each. The
// length written. Allocates nothing, so it may be called while an error is raised. Errors: none.
size_t describe_stack(lua_State *L, char *buffer, size_t size);
// The error context callback of an execution (traceback.cpp).
void describe_execution(void *argument);

} // namespace pllua_bg::pl
