// Finding the statement for a command and its values among those of its text, or making it. See
// cache.h for the contracts.
#include "api/spi/cache.h"

#include "api/spi/cursor.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "types/helpers.h"
#include "types/shape.h"
#include "types/types.h"

extern "C" {
#include "catalog/namespace.h"
}

namespace pllua_bg::api {

namespace {

constexpr int kMaxChain = 8; // statements of one text

// What a statement is wanted for.
struct Wanted {
    int first; // stack index of the first value
    int nargs;
    int cursor_options;
};

// True for objects of a type of their own; everything else takes the type that its place asks for.
bool is_typed(lua_State *L, int idx) {
    return lua_type(L, idx) == LUA_TUSERDATA &&
           lua::to_userdata<Cursor>(L, idx, kCursorType) == nullptr;
}

// The type of a value that no place asks a type of. Errors: lua (42804).
Oid own_type(lua_State *L, int idx) {
    bool weak;
    if (lua_isnil(L, idx)) return TEXTOID;
    if (lua_type(L, idx) == LUA_TUSERDATA && !is_typed(L, idx)) return REFCURSOROID;
    return types::own_type(L, idx, &weak);
}

bool value_fits(lua_State *L, int idx, ParamOrigin origin, Oid type) {
    if (is_typed(L, idx)) return origin == ParamOrigin::kGiven && own_type(L, idx) == type;
    if (origin == ParamOrigin::kOwn) return own_type(L, idx) == type;
    return origin == ParamOrigin::kInferred;
}

bool statement_fits(lua_State *L, const Statement *statement, const Wanted &wanted) {
    if (statement->nargs != wanted.nargs || statement->cursor_options != wanted.cursor_options)
        return false;
    for (int i = 0; i < wanted.nargs; i++)
        if (!value_fits(L, wanted.first + i, statement->origin[i], statement->types[i]))
            return false;
    return true;
}

// False when the server would analyse the text again, and might infer other types.
bool is_fresh(const Statement *statement) {
    if (!statement->inferred) return true;
    return SPI_plan_is_valid(statement->plan) &&
           strcmp(statement->search_path, namespace_search_path) == 0;
}

// Walks the chain on top of the stack; leaves the statement that fits in its place, or pops it.
bool find_in_chain(lua_State *L, const Wanted &wanted) {
    for (int n = 0; n < kMaxChain && !lua_isnil(L, -1); n++) {
        const auto *statement = static_cast<const Statement *>(lua_touserdata(L, -1));
        if (!is_fresh(statement)) break;
        if (statement_fits(L, statement, wanted)) return true;
        lua_getiuservalue(L, -1, kStatementNext);
        lua_remove(L, -2);
    }
    lua_pop(L, 1);
    return false;
}

// How many statements of the chain at idx are still usable: all or none.
bool chain_is_usable(lua_State *L, int idx) {
    if (lua_isnil(L, idx)) return false;
    int length = 0;
    lua_pushvalue(L, idx);
    while (!lua_isnil(L, -1)) {
        if (!is_fresh(static_cast<const Statement *>(lua_touserdata(L, -1)))) length = kMaxChain;
        length++;
        lua_getiuservalue(L, -1, kStatementNext);
        lua_remove(L, -2);
    }
    lua_pop(L, 1);
    return length < kMaxChain;
}

// Asks the tables among the values for their own types, where the statement did not ask for one.
// True when there were any.
bool ask_tables(lua_State *L, const Statement *statement, const Wanted &wanted, Oid *own) {
    bool any = false;
    for (int i = 0; i < Min(statement->nargs, wanted.nargs); i++) {
        if (statement->origin[i] != ParamOrigin::kOwn || !lua_istable(L, wanted.first + i))
            continue;
        own[i] = own_type(L, wanted.first + i);
        any = true;
    }
    return any;
}

// Prepares the command with what is known of the values. The arrays live in a Lua userdata.
void push_new_statement(lua_State *L, int idx, const Wanted &wanted) {
    const int nargs = wanted.nargs;
    size_t length;
    StatementRequest request = {};
    request.sql = types::checked_string(L, idx, &length);
    request.count = nargs;
    auto *types = static_cast<Oid *>(
        lua_newuserdatauv(L, sizeof(Oid) * 2 * static_cast<size_t>(nargs) + 1, 0));
    Oid *own = types + nargs;
    for (int i = 0; i < nargs; i++) {
        const int value = wanted.first + i;
        // Most tables that are no rows have no type of their own; they are asked last.
        const bool ask = !lua_istable(L, value) || types::is_row(L, value);
        own[i] = ask ? own_type(L, value) : TEXTOID;
        types[i] = is_typed(L, value) ? own[i] : InvalidOid;
    }
    request.types = types;
    request.own = own;
    request.cursor_options = wanted.cursor_options;
    const Statement *statement = push_statement(L, request);
    if (ask_tables(L, statement, wanted, own)) {
        lua_pop(L, 1);
        push_statement(L, request);
    }
    lua_remove(L, -2);
}

} // namespace

void push_cached_statement(lua_State *L, int idx, int first, int nargs, int cursor_options) {
    const Wanted wanted = {first, nargs, cursor_options};
    lua::need_stack(L, 10);
    if (nargs > 65535) lua::raise(L, "54000", "too many parameters");
    // In a trigger the same name may be a transition table today and a table tomorrow.
    if (pg::current_activation != nullptr && pg::current_activation->transition != nullptr)
        return push_new_statement(L, idx, wanted);
    push_chain(L, idx);
    const int chain = lua_gettop(L);
    lua_pushvalue(L, chain);
    if (find_in_chain(L, wanted)) {
        lua_replace(L, chain);
        return;
    }
    lua_settop(L, chain);
    push_new_statement(L, idx, wanted);
    if (chain_is_usable(L, chain)) {
        lua_pushvalue(L, chain);
        lua_setiuservalue(L, -2, kStatementNext);
    }
    // With the wrong number of values it is of no use to anybody else.
    if (static_cast<const Statement *>(lua_touserdata(L, -1))->nargs == nargs) {
        lua_pushvalue(L, -1);
        keep_chain(L, idx);
    }
    lua_replace(L, chain);
}

void replace_command(lua_State *L, int idx, int first, int nargs, int cursor_options,
                     const char *function) {
    if (to_statement(L, idx) != nullptr) return;
    if (!lua_isstring(L, idx))
        lua::raise(L, "22023", "incorrect argument type for %s, string or statement expected",
                   function);
    push_cached_statement(L, idx, first, nargs, cursor_options);
    lua_replace(L, idx);
}

} // namespace pllua_bg::api
