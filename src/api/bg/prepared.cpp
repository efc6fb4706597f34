// Prepared statements of sessions in Lua: session:prepare. The worker owns the statement; the
// object here has its number and releases it when it is closed or collected.
#include "api/bg/bg.h"

#include "api/spi/statement.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/pg_type.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kPreparedType[] = "bg.statement";
// User values of a statement.
constexpr int kPreparedHandle = 1; // of its session
constexpr int kPreparedText = 2;
constexpr int kPreparedValues = 2;

struct Prepared {
    uint64 session;
    uint32 number; // 0: released
};

Prepared *check_prepared(lua_State *L, int idx) {
    return lua::check_userdata<Prepared>(L, idx, kPreparedType);
}

// The parameters that the text at index 2 has, of the types that the table at index 3 declares, the
// others weak. Pushes what holds them. Errors: lua.
session::Param *declared_params(lua_State *L, const char *sql, int *count) {
    const Oid *types = check_parameter_types(L, 3, sql, count);
    auto *params = static_cast<session::Param *>(
        lua_newuserdatauv(L, sizeof(session::Param) * static_cast<size_t>(*count) + 1, 0));
    for (int i = 0; i < *count; i++) {
        const bool weak = !OidIsValid(types[i]);
        params[i] = {weak ? TEXTOID : types[i], weak, true, 0};
    }
    return params;
}

} // namespace

bool collect_prepared(lua_State *L, int idx, Outgoing *outgoing) {
    const Prepared *prepared = lua::to_userdata<Prepared>(L, idx, kPreparedType);
    if (prepared == nullptr) return false;
    if (prepared->number == 0) lua::raise(L, "26000", "the prepared statement has been closed");
    if (prepared->session != check_handle(L, 1)->number)
        lua::raise(L, "22023", "the prepared statement belongs to another session");
    lua_getiuservalue(L, idx, kPreparedText);
    outgoing->sql = lua_tostring(L, -1); // the statement holds it
    outgoing->statement = prepared->number;
    lua_pop(L, 1);
    return true;
}

// prepare(handle, sql, types): a statement, and the number of the command that prepares it.
int bg_prepare(lua_State *L) {
    SessionHandle *handle = check_handle(L, 1);
    lua_settop(L, 3);
    if (lua_type(L, 2) != LUA_TSTRING)
        lua::raise(L, "22023", "the statement must be a string, not %s", luaL_typename(L, 2));
    if (!lua_isnil(L, 3) && !lua_istable(L, 3))
        lua::raise(L, "22023", "the types must be a table, not %s", luaL_typename(L, 3));
    const char *sql = statement_text(L, 2);
    int count;
    const session::Param *params = declared_params(L, sql, &count);
    auto *prepared = lua::new_userdata<Prepared>(L, kPreparedType, kPreparedValues);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, kPreparedHandle);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, kPreparedText);
    prepared->session = handle->number;
    session::CommandId id = 0;
    pg::call_own_subxact(L, [&] {
        id = session::prepare(require_session(handle), sql, count, params, &prepared->number);
    });
    handle->last = id;
    lua_pushinteger(L, static_cast<lua_Integer>(id));
    return 2;
}

// release(statement): true when it had not been released.
int bg_release(lua_State *L) {
    Prepared *prepared = check_prepared(L, 1);
    const uint32 number = prepared->number;
    prepared->number = 0;
    if (number != 0) {
        pg::call_no_subxact(L, [&] {
            session::Session *session = session::by_number(prepared->session);
            if (session != nullptr) session::release_statement(session, number);
        });
    }
    lua_pushboolean(L, number != 0);
    return 1;
}

// statement_session(statement): the handle of its session.
int bg_statement_session(lua_State *L) {
    (void)check_prepared(L, 1);
    lua_getiuservalue(L, 1, kPreparedHandle);
    return 1;
}

void push_prepared_metatable(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {
        {"__gc", bg_release},
        {"__close", bg_release},
        {nullptr, nullptr},
    };
    lua::new_metatable(L, kPreparedType);
    luaL_setfuncs(L, kMetamethods, 0);
}

} // namespace pllua_bg::api
