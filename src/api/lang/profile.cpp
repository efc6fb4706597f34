// The profiler. See profile.h for the contracts.
#include "api/lang/profile.h"

#include "api/api.h"
#include "api/lang/protect.h"
#include "lua/error.h"
#include "lua/fields.h"
#include "lua/hooks.h"
#include "lua/interrupt.h"
#include "lua/loader.h"
#include "lua/sandbox.h"
#include "lua/standing_hook.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/subxact.h"

extern "C" {
#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/plancache.h"
}

namespace pllua_bg::api {

bool is_profiling;

namespace {

// Of a line, or of a text, whose line is 0 and whose name is the hash.
struct Key {
    char source[LUA_IDSIZE];
    int line;
};

struct Count {
    Key key;
    char *text; // of SQL
    uint64 calls;
    instr_time time;
    Count *next; // of all
};

// What one run has counted, in memory of its own.
struct Run {
    MemoryContext memory;
    HTAB *counts;
    Count *first;
    Count *current; // the line that runs now; null: none that counts
    instr_time since;
};
Run run;

constexpr Size kMostMemory = 64 * 1024 * 1024; // of one run

// Null when there is no room for a new one.
Count *find_count(const Key &key, const char *text) {
    auto *count = static_cast<Count *>(hash_search(run.counts, &key, HASH_FIND, nullptr));
    if (count != nullptr) return count;
    const Size room = text == nullptr ? 0 : strlen(text);
    if (MemoryContextMemAllocated(run.memory, true) + room > kMostMemory) return nullptr;
    ErrorData *error = pg::attempt([&] {
        char *copy = text == nullptr ? nullptr : MemoryContextStrdup(run.memory, text);
        bool found;
        count = static_cast<Count *>(hash_search(run.counts, &key, HASH_ENTER, &found));
        count->text = copy;
        count->calls = 0;
        INSTR_TIME_SET_ZERO(count->time);
        count->next = run.first;
        run.first = count;
    });
    pg::free_error(error);
    return error == nullptr ? count : nullptr;
}

// The time since the last look is that of the line that ran.
void charge() {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    if (run.current != nullptr) INSTR_TIME_ACCUM_DIFF(run.current->time, now, run.since);
    run.since = now;
}

// The line that an activation of Lua code is at; null for other code.
Count *line_of(lua_State *L, lua_Debug *activation) {
    lua_getinfo(L, "Sl", activation);
    if (activation->currentline <= 0 || lua::is_embedded_source(activation->source)) return nullptr;
    Key key = {};
    strlcpy(key.source, activation->short_src, sizeof(key.source));
    key.line = activation->currentline;
    return find_count(key, nullptr);
}

// The hook of an interrupt that came meanwhile is not lost.
void set_hook(lua_State *L, lua_Hook hook, int mask) {
    lua_sethook(L, hook, mask, 0);
    if (*lua::hooks.interrupt_flag != 0) lua::arm(L);
}

// Lines begin when they are reached, and go on when what they call has returned.
void look(lua_State *L, lua_Debug *activation) {
    if (pg::pending_is_final()) {
        is_profiling = false;
        lua::set_standing_hook(nullptr, 0);
        stop_soon(L);
        return;
    }
    if (!is_profiling) {
        set_hook(L, nullptr, 0);
        return;
    }
    charge();
    if (activation->event == LUA_HOOKLINE) {
        Count *count = line_of(L, activation);
        if (count == nullptr) return;
        count->calls++;
        run.current = count;
    } else {
        lua_Debug caller;
        if (lua_getstack(L, 1, &caller) == 0) return;
        Count *count = line_of(L, &caller);
        if (count != nullptr) run.current = count;
    }
}

void end_run() {
    is_profiling = false;
    lua::set_standing_hook(nullptr, 0);
    if (run.memory != nullptr) MemoryContextDelete(run.memory);
    run = {};
}

void begin_run() {
    run.memory =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg profile", ALLOCSET_DEFAULT_SIZES);
    HASHCTL control = {};
    control.keysize = sizeof(Key);
    control.entrysize = sizeof(Count);
    control.hcxt = run.memory;
    run.counts =
        hash_create("pllua_bg profile", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

int start(lua_State *L) {
    if (is_profiling) lua::raise(L, "55000", "bg.profile is running already");
    end_run();
    pg::call_no_subxact(L, [] { begin_run(); });
    // A coroutine that was left in the middle does not end it.
    pg::current_activation->at_end = end_run;
    INSTR_TIME_SET_CURRENT(run.since);
    is_profiling = true;
    lua::set_standing_hook(look, LUA_MASKLINE | LUA_MASKRET);
    set_hook(L, look, LUA_MASKLINE | LUA_MASKRET);
    return 0;
}

void push_count(lua_State *L, const Count *count) {
    lua_createtable(L, 0, 5);
    lua::set_text(L, "kind", count->text == nullptr ? "line" : "sql");
    lua::set_text(L, "source", count->text == nullptr ? count->key.source : count->text);
    if (count->text == nullptr) lua::set_integer(L, "line", count->key.line);
    lua::set_integer(L, "calls", static_cast<lua_Integer>(count->calls));
    lua_pushnumber(L, INSTR_TIME_GET_DOUBLE(count->time));
    lua_setfield(L, -2, "seconds");
}

// Its counts stay until the next run, so that an error while they are read loses nothing of ours.
int stop(lua_State *L) {
    if (!is_profiling) return 0;
    charge();
    is_profiling = false;
    lua::set_standing_hook(nullptr, 0);
    set_hook(L, nullptr, 0);
    lua_newtable(L);
    lua_Integer n = 0;
    for (const Count *count = run.first; count != nullptr; count = count->next) {
        push_count(L, count);
        lua_rawseti(L, -2, ++n);
    }
    end_run();
    return 1;
}

} // namespace

void profile_command(const char *text, instr_time start) {
    if (!is_profiling) return;
    Key key = {};
    const uint64 hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(text),
                                            static_cast<int>(strlen(text)), 0);
    memcpy(key.source, &hash, sizeof(hash));
    Count *count = find_count(key, text);
    if (count == nullptr) return;
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_ACCUM_DIFF(count->time, now, start);
    count->calls++;
}

void profile_plan(SPIPlanPtr plan, instr_time start) {
    List *sources = SPI_plan_get_plan_sources(plan);
    if (sources == NIL) return;
    profile_command(static_cast<CachedPlanSource *>(linitial(sources))->query_string, start);
}

void open_profiler(lua_State *L) {
    // What lua/bg/profile.lua is built on; internal functions:
    const luaL_Reg functions[] = {{"start", start}, {"stop", stop}, {nullptr, nullptr}};
    luaL_newlib(L, functions);
    lua::set_private_module(L, "pllua.profiler");
}

} // namespace pllua_bg::api
