// The Lua interpreters of this backend. See interpreter.h for the contracts.
#include "pl/interpreter.h"

#include "api/api.h"
#include "api/lang/errors.h"
#include "api/spi/cache.h"
#include "lua/gc_guard.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "pg/interrupt.h"
#include "pg/memory.h"
#include "pg/overdue.h"
#include "pg/reserve.h"
#include "pg/settings.h"
#include "pl/compile.h"
#include "pl/execution_context.h"
#include "pl/function.h"
#include "pl/start_proc.h"
#include "pl/table_modules.h"

namespace pllua_bg::pl {

pg::LinkedList<Interpreter> interpreters;

namespace {

// Registry key of the table that keeps the threads from being collected.
char threads_key;

// Of an interpreter's memory context.
constexpr Size kFirstBlock = 8 * 1024;
constexpr Size kLargestBlock = 256 * 1024;

size_t memory_limit() { return static_cast<size_t>(pg::setting_memory_limit) * 1024; }

int prepare_state(lua_State *L) {
    pg::fault("prepare-state");
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &threads_key);
    prepare_environments(L);
    api::open(L);
    prepare_table_modules(L);
    return 0;
}

[[noreturn]] void raise_out_of_memory(const char *name) {
    ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                    errdetail("Could not start the Lua interpreter of %s.", name)));
    pg_unreachable();
}

// Makes the state; whatever fails here has run no user code, so the state can be closed again.
void make_state(Interpreter *interpreter, const char *name) {
    lua::InterpOptions options = {};
    options.allocate = pg::lua_allocate;
    options.allocate_data = pg::make_lua_memory(interpreter->memory);
    options.cost = pg::lua_memory_cost;
    options.limit = memory_limit();
    options.shared = &pg::held;
    options.trusted = interpreter->trusted;
    options.user_id = interpreter->user;
    options.host = interpreter;
    interpreter->lua = lua::create_interp(options);
    if (interpreter->lua == nullptr) {
        MemoryContextDelete(interpreter->memory);
        raise_out_of_memory(name);
    }
    interpreter->main = interpreter->lua->main;
    lua_pushcfunction(interpreter->main, prepare_state);
    if (lua::call_service(interpreter->main, 0, 0) == LUA_OK) return;
    bool fresh;
    ErrorData *error = api::error_from_lua(interpreter->main, -1, &fresh);
    lua::destroy_interp(interpreter->lua);
    MemoryContextDelete(interpreter->memory);
    pg::raise_fresh(error);
}

Interpreter *make_interpreter(bool trusted, Oid user) {
    // A small block of Lua's may not take all that is left.
    MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "pllua_bg interpreter", 0,
                                                 kFirstBlock, kLargestBlock);
    const char *role = trusted ? GetUserNameFromId(user, true) : "untrusted code";
    char *name = MemoryContextStrdup(memory, role == nullptr ? "a dropped role" : role);
    MemoryContextSetIdentifier(memory, name);
    auto *interpreter =
        static_cast<Interpreter *>(MemoryContextAllocZero(memory, sizeof(Interpreter)));
    interpreter->memory = memory;
    interpreter->trusted = trusted;
    interpreter->user = user;
    make_state(interpreter, name);
    initialize_functions(interpreter);
    if (pg::watch_interrupts()) pg::watch_code(reinterpret_cast<void (*)()>(lua_gettop));
    interpreters.append(interpreter);
    return interpreter;
}

struct StartCode {
    const char *name;
    const char *text;
    bool common; // sees the globals of user code
};

int run_start_code(lua_State *L) {
    auto *code = static_cast<const StartCode *>(lua_touserdata(L, 1));
    load_text(L, code->text, code->name);
    if (code->common) {
        lua::push_user_globals(L);
        lua_setupvalue(L, -2, 1);
    }
    lua_call(L, 0, 0);
    return 0;
}

void run_start_setting(Interpreter *interpreter, const char *name, const char *text, bool common) {
    if (text == nullptr || text[0] == '\0') return;
    StartCode code = {name, text, common};
    ExecutionContext execution;
    open_execution(&execution, interpreter, name);
    run_execution(&execution, run_start_code, &code);
    close_execution(&execution);
}

void run_start_code(Interpreter *interpreter) {
    run_start_setting(interpreter, "on_init", pg::setting_on_init, false);
    if (interpreter->trusted)
        run_start_setting(interpreter, "on_trusted_init", pg::setting_on_trusted_init, false);
    else
        run_start_setting(interpreter, "on_untrusted_init", pg::setting_on_untrusted_init, false);
    run_start_setting(interpreter, "on_common_init", pg::setting_on_common_init, true);
}

// Runs the start-up code, and the function for the start when `with_proc`; what fails is run again
// at the next use.
void start(Interpreter *interpreter, bool with_proc) {
    interpreter->starting = true;
    ErrorData *error = pg::attempt([interpreter, with_proc] {
        if (!interpreter->started) run_start_code(interpreter);
        interpreter->started = true;
        if (with_proc) run_start_proc(interpreter->trusted);
        interpreter->proc_done = with_proc;
    });
    interpreter->starting = false;
    if (error != nullptr) pg::rethrow(error);
}

int make_thread(lua_State *L) {
    pg::fault("make-thread");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &threads_key);
    lua_State *thread = lua_newthread(L);
    lua_rawsetp(L, -2, thread);
    *static_cast<lua_State **>(lua_touserdata(L, 1)) = thread;
    return 0;
}

void forget_abandoned(Interpreter *interpreter) {
    lua_State *L = interpreter->main;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &threads_key);
    while (interpreter->abandoned_count > 0) {
        // The key exists, so this allocates nothing.
        lua_pushnil(L);
        lua_rawsetp(L, -2, interpreter->abandoned[--interpreter->abandoned_count]);
        interpreter->thread_count--;
    }
    lua_pop(L, 1);
}

// Makes room for one more thread in both lists. False when there is no memory.
bool grow_lists(Interpreter *interpreter) {
    if (interpreter->thread_count < interpreter->capacity) return true;
    const int capacity = interpreter->capacity == 0 ? 8 : interpreter->capacity * 2;
    const size_t size = sizeof(lua_State *) * static_cast<size_t>(capacity);
    void *idle = MemoryContextAllocExtended(interpreter->memory, size, MCXT_ALLOC_NO_OOM);
    void *abandoned = MemoryContextAllocExtended(interpreter->memory, size, MCXT_ALLOC_NO_OOM);
    if (idle == nullptr || abandoned == nullptr) return false;
    if (interpreter->capacity > 0) {
        const size_t used = sizeof(lua_State *) * static_cast<size_t>(interpreter->capacity);
        memcpy(idle, interpreter->idle, used);
        memcpy(abandoned, interpreter->abandoned, used);
        pfree(interpreter->idle);
        pfree(interpreter->abandoned);
    }
    interpreter->idle = static_cast<lua_State **>(idle);
    interpreter->abandoned = static_cast<lua_State **>(abandoned);
    interpreter->capacity = capacity;
    return true;
}

lua_State *new_thread(Interpreter *interpreter) {
    if (!grow_lists(interpreter)) return nullptr;
    lua_State *thread = nullptr;
    lua_State *L = interpreter->main;
    lua_pushcfunction(L, make_thread);
    lua_pushlightuserdata(L, &thread);
    if (lua::call_service(L, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        return nullptr;
    }
    interpreter->thread_count++;
    return thread;
}

size_t held_by(const Interpreter *interpreter) {
    return interpreter->lua->used + interpreter->lua->external;
}

// Far more than after the latest collection at the end of a call.
bool holds_more(const Interpreter *interpreter) {
    constexpr size_t kSlack = 8 * 1024 * 1024;
    return held_by(interpreter) > 2 * interpreter->settled + kSlack;
}

} // namespace

size_t largest_interpreter() {
    size_t most = 0;
    for (const Interpreter *i = interpreters.first; i != nullptr; i = i->after)
        most = Max(most, held_by(i));
    return most;
}

void collect_garbage() {
    for (Interpreter *i = interpreters.first; i != nullptr; i = i->after) {
        if (i->abandoned_count > 0) forget_abandoned(i);
        lua::collect_without_finalizers(i->main);
    }
}

// Called in a signal handler.
void notice_interrupt() {
    if (lua::running == nullptr) return;
    lua::arm(lua::running);
    pg::expect_service();
}

Interpreter *find_interpreter(bool trusted, StartUp start_up) {
    const Oid user = trusted ? GetUserId() : InvalidOid;
    Interpreter *interpreter = interpreters.first;
    while (interpreter != nullptr && interpreter->user != user) interpreter = interpreter->after;
    if (interpreter == nullptr) interpreter = make_interpreter(trusted, user);
    const bool with_proc = start_up == StartUp::kAll;
    const bool done = with_proc ? interpreter->proc_done : interpreter->started;
    if (start_up != StartUp::kNone && !done && !interpreter->starting) [[unlikely]]
        start(interpreter, with_proc);
    return interpreter;
}

void renew_limit(Interpreter *interpreter) {
    lua::Interp *account = interpreter->lua;
    pg::keep_reserve();
    const size_t limit = memory_limit();
    const size_t room = Max(limit / 64, 256 * 1024);
    const size_t wanted = account->used + account->external + pg::held + room;
    account->limit = limit;
    if (limit != 0 && wanted > limit)
        account->limit = Min(wanted, limit + Max(limit / 8, 8 * room));
    pg::limit_lua_memory(account->allocate_data, account->limit);
}

void settle_memory(Interpreter *interpreter) {
    if (!holds_more(interpreter)) [[likely]] {
        interpreter->settled = Min(interpreter->settled, held_by(interpreter));
        return;
    }
    lua::collect_without_finalizers(interpreter->main);
    if (holds_more(interpreter)) {
        // Plans of statements, too, which may hold constants as large as any value.
        api::forget_cached_statements(interpreter->main);
        lua::collect_without_finalizers(interpreter->main);
    }
    pg::trim_lua_memory(interpreter->lua->allocate_data);
    interpreter->settled = held_by(interpreter);
}

lua_State *take_thread(Interpreter *interpreter) {
    if (interpreter->abandoned_count > 0) forget_abandoned(interpreter);
    if (interpreter->idle_count > 0) return interpreter->idle[--interpreter->idle_count];
    return new_thread(interpreter);
}

void give_thread(Interpreter *interpreter, lua_State *thread) {
    interpreter->idle[interpreter->idle_count++] = thread;
}

void retire_thread(Interpreter *interpreter, lua_State *thread) {
    abandon_thread(interpreter, thread);
    forget_abandoned(interpreter);
    // The collection that Lua itself tries when memory is short does not
    // shrink stacks; this one does.
    lua_gc(interpreter->main, LUA_GCCOLLECT);
}

void abandon_thread(Interpreter *interpreter, lua_State *thread) {
    interpreter->abandoned[interpreter->abandoned_count++] = thread;
}

} // namespace pllua_bg::pl
