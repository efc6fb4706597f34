// Entering Lua from the server. See execution_context.h for the contracts.
#include "pl/execution_context.h"

#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "lua/error.h"
#include "lua/interrupt.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/reserve.h"
#include "pg/subxact.h"
#include "pl/function.h"

namespace pllua_bg::pl {

namespace {

constexpr size_t kContextSize = 4096;
constexpr int kHandlerIndex = 1; // of the message handler of a call

uint64 execution_count;

ExecutionContext *execution_of(const pg::Activation *activation) {
    return activation == nullptr ? nullptr : static_cast<ExecutionContext *>(activation->call);
}

// Ends everything but the thread. Returns the error that has to be raised after all.
ErrorData *unwind(ExecutionContext *execution, bool failed) {
    if (execution->activation.previous == nullptr) settle_memory(execution->interpreter);
    error_context_stack = execution->callback.previous;
    if (execution->function != nullptr) release_function(execution->function);
    ErrorData *error = pg::leave(&execution->activation, failed);
    ExecutionContext *outer = current_execution();
    if (outer != nullptr) outer->paused = nullptr;
    return error;
}

// Gives errors of Lua's own the codes and words that the server has for them.
void set_code(ErrorData *error, int status) {
    const char *message = error->message == nullptr ? "" : error->message;
    if (status == LUA_ERRMEM || strcmp(message, "not enough memory") == 0) {
        static char out_of_memory[] = "out of memory";
        error->sqlerrcode = ERRCODE_OUT_OF_MEMORY;
        error->message = out_of_memory;
    } else if (strstr(message, "stack overflow") != nullptr || status == LUA_ERRERR) {
        error->sqlerrcode = ERRCODE_STATEMENT_TOO_COMPLEX;
    }
}

// The traceback goes where the callbacks of outer executions will add theirs.
void add_context(ErrorData *error, const char *text, size_t length) {
    // What has no memory of its own would lose it with the next error.
    if (length == 0 || error->assoc_context == ErrorContext) return;
    const size_t before = error->context == nullptr ? 0 : strlen(error->context) + 1;
    auto *context = static_cast<char *>(MemoryContextAllocExtended(
        error->assoc_context, before + length + 1, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
    if (context == nullptr) return;
    if (before > 0) {
        memcpy(context, error->context, before - 1);
        context[before - 1] = '\n';
    }
    memcpy(context + before, text, length);
    context[before + length] = '\0';
    error->context = context;
}

void drop_trace(ExecutionContext *execution) {
    if (execution->trace != nullptr) pfree(execution->trace);
    execution->trace = nullptr;
}

// The message handler of every execution: notes where an uncaught error was raised.
// An error of the server knows already. What a left call has still to close may fail
// without an execution of its own.
int note_trace(lua_State *L) {
    const lua::ErrorFields *fields = lua::error_fields(L, 1);
    ExecutionContext *execution = current_execution();
    if (fields != nullptr && fields->server) return 1;
    if (execution == nullptr || execution->thread != L) return 1;
    char text[kContextSize];
    const size_t length = describe_stack(L, text, sizeof(text));
    drop_trace(execution);
    if (length == 0) return 1;
    execution->trace = static_cast<char *>(
        MemoryContextAllocExtended(execution->interpreter->memory, length + 1, MCXT_ALLOC_NO_OOM));
    if (execution->trace != nullptr) memcpy(execution->trace, text, length + 1);
    return 1;
}

// An error ends as two results: the error value and the status.
int finish_protected(lua_State *L, int status, lua_KContext) {
    if (status == LUA_OK || status == LUA_YIELD) return 0;
    lua_pushinteger(L, status);
    return 2;
}

// The stack is: message handler, body, its argument. The thread survives an error here, with its
// hooks allowed and what was to be closed closed; a thread that dies has lost its hooks when the
// error came from one.
int run_protected(lua_State *L) {
    return finish_protected(L, lua_pcallk(L, 1, 0, 1, 0, finish_protected), 0);
}

// The error value is on top of the thread.
ErrorData *take_lua_error(ExecutionContext *execution, int status, bool *fresh) {
    pg::fault("take-error");
    if (pg::pending_error() != nullptr) {
        *fresh = false;
        return pg::copy_pending();
    }
    // The stack of the failed thread may be full, so the value is looked at elsewhere.
    lua_State *main = execution->interpreter->main;
    lua_xmove(execution->thread, main, 1);
    ErrorData *error = api::error_from_lua(main, -1, fresh);
    lua_xmove(main, execution->thread, 1);
    if (!*fresh) return error;
    if (error->sqlerrcode == ERRCODE_EXTERNAL_ROUTINE_EXCEPTION || status != LUA_ERRRUN)
        set_code(error, status);
    if (execution->trace != nullptr) {
        add_context(error, execution->trace, strlen(execution->trace));
    } else {
        char text[NAMEDATALEN + 32];
        add_context(error, text,
                    static_cast<size_t>(
                        pg_snprintf(text, sizeof(text), "Lua function \"%s\"", execution->name)));
    }
    return error;
}

// Ends the use of the thread. A cancel that arrives meanwhile takes the place of the error.
ErrorData *drop_failed_thread(ExecutionContext *execution, bool dead, ErrorData *error,
                              bool *fresh) {
    lua_State *thread = execution->thread;
    if (dead) api::close_thread(thread);
    lua_settop(thread, 0);
    // A finalizer that runs meanwhile may fail, and its error asks for the stack of this call.
    execution->thread = nullptr;
    if (error->sqlerrcode == ERRCODE_OUT_OF_MEMORY) pg::release_reserve();
    if (dead || error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
        error->sqlerrcode == ERRCODE_STATEMENT_TOO_COMPLEX)
        retire_thread(execution->interpreter, thread);
    else
        give_thread(execution->interpreter, thread);
    if (!pg::pending_is_final() || pg::is_final(error)) return error;
    pg::free_error(error);
    *fresh = false;
    return pg::copy_pending();
}

[[noreturn]] void raise(ErrorData *error, bool fresh) {
    if (fresh) pg::raise_fresh(error);
    pg::rethrow(error);
}

// The error value is on top of the thread, which has ended with it when `dead`.
[[noreturn]] void fail(ExecutionContext *execution, int status, bool dead) {
    bool fresh;
    ErrorData *error = take_lua_error(execution, status, &fresh);
    error = drop_failed_thread(execution, dead, error, &fresh);
    drop_trace(execution);
    unwind(execution, true);
    raise(error, fresh);
}

} // namespace

ExecutionContext *current_execution() { return execution_of(pg::current_activation); }

ExecutionContext *find_execution(uint64 number) {
    for (pg::Activation *a = pg::current_activation; a != nullptr; a = a->previous)
        if (execution_of(a)->number == number) return execution_of(a);
    return nullptr;
}

void open_execution(ExecutionContext *execution, Interpreter *interpreter, const char *name,
                    const ExecutionOptions &options) {
    pg::fault("open-execution");
    ExecutionContext *outer = current_execution();
    pg::enter(&execution->activation, options.atomic, options.read_only, execution);
    if (outer != nullptr) outer->paused = lua::running;
    execution->interpreter = interpreter;
    renew_limit(interpreter);
    execution->thread = options.thread != nullptr ? options.thread : take_thread(interpreter);
    execution->paused = nullptr;
    execution->name = name;
    execution->function = options.function;
    execution->site = options.site;
    execution->data = nullptr;
    execution->sink = nullptr;
    execution->trace = nullptr;
    execution->number = ++execution_count;
    execution->callback.callback = describe_execution;
    execution->callback.arg = execution;
    execution->callback.previous = error_context_stack;
    error_context_stack = &execution->callback;
    if (execution->function != nullptr) hold_function(execution->function);
    if (execution->thread == nullptr) [[unlikely]] {
        // A finalizer that ran for want of memory may have been cancelled.
        ErrorData *error = pg::pending_is_final() ? pg::copy_pending() : nullptr;
        unwind(execution, true);
        if (error != nullptr) pg::rethrow(error);
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                        errdetail("Could not make a Lua thread.")));
    }
}

void begin_call(ExecutionContext *execution) { lua_pushcfunction(execution->thread, note_trace); }

void finish_call(ExecutionContext *execution, int nargs) {
    const int status = api::call(execution->thread, nargs, LUA_MULTRET, kHandlerIndex);
    if (status != LUA_OK) [[unlikely]]
        fail(execution, status, false);
}

void run_execution(ExecutionContext *execution, lua_CFunction body, void *argument) {
    lua_State *thread = execution->thread;
    begin_call(execution);
    lua_pushcfunction(thread, body);
    lua_pushlightuserdata(thread, argument);
    finish_call(execution, 1);
    lua_settop(thread, 0);
}

bool resume_execution(ExecutionContext *execution, lua_CFunction body, void *argument) {
    lua_State *thread = execution->thread;
    int nargs = 0;
    if (body != nullptr) {
        lua_pushcfunction(thread, run_protected);
        lua_pushcfunction(thread, note_trace);
        lua_pushcfunction(thread, body);
        lua_pushlightuserdata(thread, argument);
        nargs = 3;
    }
    api::RowSink *outer_sink = api::row_sink;
    api::row_sink = execution->sink;
    int nresults;
    const int status = api::resume(thread, nullptr, nargs, &nresults);
    api::row_sink = outer_sink;
    if (status == LUA_YIELD) return true;
    if (status != LUA_OK) [[unlikely]]
        fail(execution, status, true);
    if (nresults > 0) [[unlikely]] {
        const auto error_status = static_cast<int>(lua_tointeger(thread, -1));
        lua_pop(thread, 1);
        fail(execution, error_status, false);
    }
    return false;
}

void close_execution(ExecutionContext *execution) {
    pg::fault("close-execution");
    give_thread(execution->interpreter, execution->thread);
    ErrorData *error = unwind(execution, false);
    if (error != nullptr) [[unlikely]]
        pg::rethrow(error);
}

void suspend_execution(ExecutionContext *execution) {
    ErrorData *error = unwind(execution, false);
    if (error != nullptr) [[unlikely]]
        pg::rethrow(error);
}

void finish_execution(ExecutionContext *execution) {
    const int status = api::close_thread(execution->thread);
    if (status != LUA_OK) fail(execution, status, false);
    lua_settop(execution->thread, 0);
    close_execution(execution);
}

} // namespace pllua_bg::pl
