// Subtransactions by scope. See subtransaction.h for the contracts.
#include "api/spi/subtransaction.h"

#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/subxact.h"

namespace pllua_bg::api {

namespace {

constexpr char kScopeType[] = "SPI subtransaction object";
// The server walks through nested subtransactions by recursion, some of it without a look at its
// stack.
constexpr int kMostLevels = 1000;

struct Scope {
    int index;
    uint64 number;
};

Scope *check_scope(lua_State *L) { return lua::check_userdata<Scope>(L, 1, kScopeType); }

bool is_open(const Scope *scope) { return pg::is_scope(scope->index, scope->number); }

// Errors: lua 55000 where another pcall, coroutine or function runs than that which has begun it.
void check_place(lua_State *L, const Scope *scope) {
    if (scope->index < first_own_level() || pg::has_pcall_above(scope->index))
        lua::raise_hint(L, "55000", "End it where it was begun.",
                        "a subtransaction cannot be ended inside of a pcall, coroutine or function "
                        "that has begun later");
}

// Subtransactions that began inside end with it. A commit that an error the server has raised
// forbids is a rollback, and raises it.
void end_scope(lua_State *L, const Scope *scope, bool commit) {
    check_place(L, scope);
    if (commit && pg::pending_error() == nullptr) {
        ErrorData *error = pg::release_levels(scope->index);
        if (error != nullptr) pg::raise_in_lua(L, error);
        return;
    }
    ErrorData *error = commit ? pg::copy_pending() : nullptr;
    ErrorData *failed = pg::rollback_levels(scope->index);
    if (error == nullptr)
        error = failed;
    else
        pg::free_error(failed);
    if (error != nullptr) pg::raise_in_lua(L, error);
    raise_pending(L);
}

int end_now(lua_State *L, bool commit) {
    const Scope *scope = check_scope(L);
    if (!is_open(scope)) lua::raise(L, "55000", "the subtransaction has ended");
    end_scope(L, scope, commit);
    return 0;
}

int commit(lua_State *L) { return end_now(L, true); }
int rollback(lua_State *L) { return end_now(L, false); }

// Whether the block is left by an error: then its function is no longer there. error(nil) gives no
// value to tell it by.
bool is_failure(lua_State *L) {
    if (!lua_isnil(L, 2)) return true;
    lua_Debug caller;
    if (lua_getstack(L, 1, &caller) == 0) return true;
    lua_getinfo(L, "S", &caller);
    return strcmp(caller.what, "C") == 0;
}

int leave_block(lua_State *L) {
    const Scope *scope = check_scope(L);
    lua_settop(L, 2);
    if (is_open(scope)) end_scope(L, scope, !is_failure(L));
    return 0;
}

int is_open_scope(lua_State *L) {
    lua_pushboolean(L, is_open(check_scope(L)));
    return 1;
}

int describe(lua_State *L) {
    lua_pushfstring(L, "subtransaction (%s)", is_open(check_scope(L)) ? "open" : "ended");
    return 1;
}

} // namespace

int spi_subtransaction(lua_State *L) {
    lua_settop(L, 0);
    if (pg::level_count() >= kMostLevels)
        lua::raise_hint(L, "54001", "One that is declared with <close> ends with its block.",
                        "more than %d subtransactions cannot be open at once", kMostLevels);
    auto *scope = lua::new_userdata<Scope>(L, kScopeType);
    scope->index = -1;
    // Begins those around it, and finds out whether there may be one.
    pg::call(L, [] { pg::ensure_spi(); });
    ErrorData *error;
    const int index = pg::push_scope(&scope->number, &error);
    if (error != nullptr) pg::raise_in_lua(L, error);
    scope->index = index;
    error = pg::attempt([] { pg::open_levels(); });
    if (error == nullptr) return 1;
    pg::note_uncertain(error);
    pg::free_error(pg::release_levels(index));
    pg::raise_in_lua(L, error);
}

void initialize_subtransactions(lua_State *L) {
    const luaL_Reg methods[] = {
        {"commit", commit}, {"rollback", rollback}, {"isopen", is_open_scope}, {nullptr, nullptr}};
    lua::new_metatable(L, kScopeType);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, leave_block);
    lua_setfield(L, -2, "__close");
    lua_pushcfunction(L, describe);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

} // namespace pllua_bg::api
