// Plans behind spi.execute. See cache.h for the contracts.
//
// Two tables by command text. What is looked up moves to the young one; when that is full, or holds
// more than its part of the memory limit, it becomes the old one, and the former old one is left to
// the collector. Statements of one text with
// different types of values are chained.
#include "api/spi/cache.h"

#include "api/spi/cursor.h"
#include "lua/error.h"
#include "lua/state.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "types/helpers.h"
#include "types/shape.h"
#include "types/types.h"

extern "C" {
#include "catalog/namespace.h"
#include "nodes/params.h"
}

namespace pllua_bg::api {

namespace {

// Registry key of the cache: its address. The cache is a sequence of these.
constexpr char kCache = 0;
constexpr int kYoung = 1;
constexpr int kOld = 2;
constexpr int kYoungCount = 3;
constexpr int kYoungBytes = 4;

constexpr int kGeneration = 256; // texts in one table
constexpr int kMaxChain = 8;     // statements of one text
constexpr Size kShare = 16;      // one table holds so great a part of the memory limit

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

// Adds to a number of the cache at idx; what it is then.
lua_Integer add_to(lua_State *L, int idx, int field, lua_Integer more) {
    lua_rawgeti(L, idx, field);
    const lua_Integer sum = lua_tointeger(L, -1) + more;
    lua_pop(L, 1);
    lua_pushinteger(L, sum);
    lua_rawseti(L, idx, field);
    return sum;
}

void set_number(lua_State *L, int idx, int field, lua_Integer number) {
    lua_pushinteger(L, number);
    lua_rawseti(L, idx, field);
}

// True when the young table of the cache at idx has enough after one more text.
bool is_full(lua_State *L, int idx, bool known, Size bytes) {
    const auto most = static_cast<lua_Integer>(lua::interp(L)->limit / kShare);
    const lua_Integer count = add_to(L, idx, kYoungCount, known ? 0 : 1);
    const lua_Integer held = add_to(L, idx, kYoungBytes, static_cast<lua_Integer>(bytes));
    return count >= kGeneration || (most > 0 && held > most);
}

// Empties a table of the cache at idx, without memory.
void clear_table(lua_State *L, int idx, int field) {
    lua_rawgeti(L, idx, field);
    for (lua_pushnil(L); lua_next(L, -2) != 0;) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

// Makes the statement on top, which is popped, what is kept for the command at idx.
void keep_chain(lua_State *L, int idx) {
    const Size bytes = static_cast<const Statement *>(lua_touserdata(L, -1))->counted;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache);
    const int cache = lua_gettop(L);
    lua_rawgeti(L, cache, kYoung);
    lua_pushvalue(L, idx);
    const bool known = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    lua_pushvalue(L, idx);
    lua_pushvalue(L, cache - 1);
    lua_rawset(L, -3);
    if (is_full(L, cache, known, bytes)) {
        lua_rawseti(L, cache, kOld);
        lua_newtable(L);
        lua_rawseti(L, cache, kYoung);
        set_number(L, cache, kYoungCount, 0);
        set_number(L, cache, kYoungBytes, 0);
    }
    lua_settop(L, cache - 2);
}

// Pushes the first statement of the command at idx, or nil; makes its text young.
void push_chain(lua_State *L, int idx) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache);
    const int cache = lua_gettop(L);
    lua_rawgeti(L, cache, kYoung);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_settop(L, cache);
        lua_rawgeti(L, cache, kOld);
        lua_pushvalue(L, idx);
        if (lua_rawget(L, -2) != LUA_TNIL) {
            lua_pushvalue(L, -1);
            keep_chain(L, idx);
        }
    }
    lua_replace(L, cache);
    lua_settop(L, cache);
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

void forget_cached_statements(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kCache) == LUA_TTABLE) {
        const int cache = lua_gettop(L);
        clear_table(L, cache, kYoung);
        clear_table(L, cache, kOld);
        set_number(L, cache, kYoungCount, 0);
        set_number(L, cache, kYoungBytes, 0);
    }
    lua_pop(L, 1);
}

void initialize_statement_cache(lua_State *L) {
    lua_createtable(L, 4, 0);
    lua_newtable(L);
    lua_rawseti(L, -2, kYoung);
    lua_newtable(L);
    lua_rawseti(L, -2, kOld);
    set_number(L, lua_gettop(L), kYoungCount, 0);
    set_number(L, lua_gettop(L), kYoungBytes, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kCache);
}

} // namespace pllua_bg::api
