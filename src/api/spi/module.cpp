// The module spi: commands, transaction control and quoting.
// The objects it hands out have files of their own.
#include "api/api.h"
#include "api/lang/elog.h"
#include "api/spi/cache.h"
#include "api/spi/cursor.h"
#include "api/spi/subtransaction.h"
#include "lua/error.h"
#include "lua/sandbox.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/subxact.h"
#include "session/session.h"
#include "types/helpers.h"

namespace pllua_bg::api {

namespace {

int spi_execute(lua_State *L) {
    luaL_checkany(L, 1);
    const int nargs = lua_gettop(L) - 1;
    replace_command(L, 1, 2, nargs, CURSOR_OPT_PARALLEL_OK, "execute");
    run_statement(L, 1, 2, nargs, 0);
    return 1;
}

int spi_execute_count(lua_State *L) {
    luaL_checkany(L, 1);
    const lua_Integer limit = check_limit(L, 2);
    const int nargs = lua_gettop(L) - 2;
    replace_command(L, 1, 3, nargs, CURSOR_OPT_PARALLEL_OK, "execute_count");
    run_statement(L, 1, 3, nargs, limit);
    return 1;
}

int spi_rows(lua_State *L) {
    luaL_checkany(L, 1);
    const int nargs = lua_gettop(L) - 1;
    replace_command(L, 1, 2, nargs, 0, "rows");
    return statement_rows(L);
}

int spi_values(lua_State *L) {
    luaL_checkany(L, 1);
    const int nargs = lua_gettop(L) - 1;
    replace_command(L, 1, 2, nargs, 0, "values");
    return statement_values(L);
}

// Errors: lua 2D000 where the transaction may not be ended.
void check_transaction_control(lua_State *L) {
    const pg::Activation *activation = pg::current_activation;
    if (activation == nullptr || activation->atomic)
        lua::raise(L, "2D000", "cannot commit or rollback in this context");
    if (pg::level_count() > activation->level_base || IsSubTransaction())
        lua::raise(L, "2D000", "cannot commit or rollback from inside a subtransaction");
}

void end_transaction(lua_State *L, void (*end)()) {
    check_transaction_control(L);
    pg::call(L, [end] {
        pg::ensure_spi();
        session::keep_unused();
        pin_private_cursors();
        end();
        unpin_private_cursors();
    });
}

// The argument: the next transaction has the characteristics of this one.
int spi_commit(lua_State *L) {
    end_transaction(L, lua_toboolean(L, 1) != 0 ? SPI_commit_and_chain : SPI_commit);
    return 0;
}

int spi_rollback(lua_State *L) {
    end_transaction(L, lua_toboolean(L, 1) != 0 ? SPI_rollback_and_chain : SPI_rollback);
    return 0;
}

// True where spi.commit and spi.rollback are refused.
int spi_is_atomic(lua_State *L) {
    const pg::Activation *activation = pg::current_activation;
    lua_pushboolean(L, activation == nullptr || activation->atomic ||
                           pg::level_count() > activation->level_base || IsSubTransaction());
    return 1;
}

// True where commands that write are refused: in functions that are not volatile.
int spi_readonly(lua_State *L) {
    const pg::Activation *activation = pg::current_activation;
    lua_pushboolean(L, activation != nullptr && activation->read_only);
    return 1;
}

// Replaces the text at 1 by what the server makes of it.
int quote(lua_State *L, char *(*make)(const char *)) {
    size_t length;
    const char *text = types::checked_string(L, 1, &length);
    const char *quoted = nullptr;
    ParamArena *arena = take_arena(L);
    pg::call_no_subxact(L, [=, &quoted] {
        MemoryContextSwitchTo(arena->context);
        quoted = make(text);
    });
    lua_pushstring(L, quoted);
    return_arena(L, -2);
    return 1;
}

char *quoted_identifier(const char *text) { return const_cast<char *>(quote_identifier(text)); }
char *quoted_literal(const char *text) { return quote_literal_cstr(text); }

int quote_ident(lua_State *L) { return quote(L, quoted_identifier); }
int quote_literal(lua_State *L) { return quote(L, quoted_literal); }

int quote_nullable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_isnil(L, 1)) return quote(L, quoted_literal);
    lua_pushliteral(L, "NULL");
    return 1;
}

constexpr luaL_Reg kQuoting[] = {
    {"quote_ident", quote_ident},
    {"quote_literal", quote_literal},
    {"quote_nullable", quote_nullable},
    {nullptr, nullptr},
};

} // namespace

void open_spi(lua_State *L) {
    const luaL_Reg functions[] = {
        {"execute", spi_execute},     {"execute_count", spi_execute_count},
        {"prepare", spi_prepare},     {"rows", spi_rows},
        {"values", spi_values},       {"findcursor", spi_findcursor},
        {"newcursor", spi_newcursor}, {"commit", spi_commit},
        {"rollback", spi_rollback},   {"is_atomic", spi_is_atomic},
        {"readonly", spi_readonly},   {"subtransaction", spi_subtransaction},
        {nullptr, nullptr},
    };
    initialize_arenas(L);
    initialize_statements(L, kStatementMethods);
    initialize_cursors(L);
    initialize_subtransactions(L);
    initialize_statement_cache(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    luaL_setfuncs(L, kQuoting, 0);
    add_elog_functions(L);
    lua_pushvalue(L, -1);
    lua::set_module(L, "pllua.spi");
    lua::set_global(L, "spi");
    for (const luaL_Reg *quoting = kQuoting; quoting->name != nullptr; quoting++) {
        lua_pushcfunction(L, quoting->func);
        lua::set_global(L, quoting->name);
    }
}

} // namespace pllua_bg::api
