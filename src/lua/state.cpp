// Makes and ends interpreters, and counts their memory.
#include "lua/state.h"
#include "lua/fields.h"

#include <cstring>

#include "lua/baselib.h"
#include "lua/error.h"
#include "lua/gc_guard.h"
#include "lua/loader.h"
#include "lua/sandbox.h"
#include "lua/stringlib/match.h"
#include "lua/stringlib/stringlib.h"
#include "lua/tablelib/tablelib.h"
#include "lua/traceback.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// The collector hears of external memory in portions of this size.
constexpr size_t kPortion = 256 * 1024;

constexpr size_t kNothing = 0;

// Blocks up to this size are rounded as every allocator does at least.
constexpr size_t kRoundedSimply = 256;

size_t cost(const Interp *interp, size_t size) {
    return size <= kRoundedSimply ? (size + 7) & ~size_t{7} : interp->cost(size);
}

bool exceeds(const Interp *interp, size_t more) {
    return interp->limit != 0 &&
           interp->used + interp->external + *interp->shared + more > interp->limit;
}

// lua_Alloc: the given allocator behind the account. Only growth can be refused.
void *allocate_counted(void *data, void *block, size_t old_size, size_t new_size) {
    auto *interp = static_cast<Interp *>(data);
    if (block == nullptr) old_size = 0; // it is a type then
    const size_t grown = cost(interp, new_size) - cost(interp, old_size);
    if (new_size > old_size && exceeds(interp, grown)) {
        interp->refused++;
        return nullptr;
    }
    void *result = interp->allocate(interp->allocate_data, block, old_size, new_size);
    if (result == nullptr && new_size > 0) {
        interp->refused++;
        return nullptr;
    }
    interp->used += grown; // or less: modulo the largest number
    if (interp->used > interp->peak) interp->peak = interp->used;
    return result;
}

void overlay_string(lua_State *L) {
    lua_getglobal(L, "string");
    set_find_functions(L);
    set_gsub_functions(L);
    set_rep_function(L);
    set_format_functions(L);
    lua_pop(L, 1);
    // Locked, as in pllua: no one replaces the methods of all strings.
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    set_boolean(L, "__metatable", true);
    lua_pop(L, 2);
}

void overlay_libraries(lua_State *L) {
    overlay_string(L);
    lua_getglobal(L, "table");
    set_table_functions(L);
    set_sort_function(L);
    lua_pop(L, 1);
    lua_getglobal(L, "utf8");
    set_utf8_functions(L);
    lua_pop(L, 1);
    lua_getglobal(L, "math");
    if (lua_getfield(L, -1, "atan2") == LUA_TNIL) {
        lua_getfield(L, -2, "atan");
        lua_setfield(L, -3, "atan2");
    }
    lua_pop(L, 2);
    lua_getglobal(L, "debug");
    set_traceback_function(L);
    lua_pop(L, 1);
    luaL_requiref(L, "bit32", open_bit32, 1);
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    set_load_function(L, false, 0);
    set_ipairs_function(L);
    set_metatable_functions(L);
    lua_pop(L, 1);
}

// Embedded modules come right behind package.preload: no file takes their place.
void add_embedded_searcher(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_trusted);
    lua_setfield(L, -2, "pllua.trusted");
    lua_pop(L, 1);
}

int fill_state(lua_State *L) {
    luaL_openlibs(L);
    initialize_errors(L);
    refresh_character_classes();
    overlay_libraries(L);
    add_embedded_searcher(L);
    if (interp(L)->trusted) create_sandbox(L);
    return 0;
}

} // namespace

Interp *create_interp(const InterpOptions &options) {
    void *block = options.allocate(options.allocate_data, nullptr, 0, sizeof(Interp));
    if (block == nullptr) return nullptr;
    auto *interp = static_cast<Interp *>(block);
    *interp = {};
    interp->limit = options.limit;
    interp->shared = options.shared != nullptr ? options.shared : &kNothing;
    interp->trusted = options.trusted;
    interp->user_id = options.user_id;
    interp->host = options.host;
    interp->allocate = options.allocate;
    interp->allocate_data = options.allocate_data;
    interp->cost = options.cost;

    lua_State *L = lua_newstate(allocate_counted, interp);
    if (L != nullptr) {
        interp->main = L;
        memset(lua_getextraspace(L), 0, LUA_EXTRASPACE);
        lua_gc(L, LUA_GCSTOP);
        lua_pushcfunction(L, fill_state);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
            lua_gc(L, LUA_GCRESTART);
            return interp;
        }
    }
    destroy_interp(interp);
    return nullptr;
}

void destroy_interp(Interp *interp) {
    if (interp->main != nullptr) lua_close(interp->main);
    interp->allocate(interp->allocate_data, interp, sizeof(Interp), 0);
}

void account_external(lua_State *L, ptrdiff_t bytes) {
    Interp *owner = interp(L);
    if (bytes <= 0) {
        release_external(owner, static_cast<size_t>(-bytes));
        return;
    }
    take_external(owner, static_cast<size_t>(bytes));
    if (owner->unpaid < kPortion || owner->finalizers > 0) return;
    size_t kilobytes = owner->unpaid / 1024;
    owner->unpaid %= 1024;
    lua_gc(L, LUA_GCSTEP, static_cast<int>(kilobytes < 1024 * 1024 ? kilobytes : 1024 * 1024));
}

void take_external(Interp *interp, size_t bytes) {
    interp->external += bytes;
    interp->unpaid += bytes;
}

void release_external(Interp *interp, size_t bytes) {
    interp->external -= bytes < interp->external ? bytes : interp->external;
}

bool account_would_exceed(lua_State *L, size_t bytes) { return exceeds(interp(L), bytes); }

} // namespace pllua_bg::lua
