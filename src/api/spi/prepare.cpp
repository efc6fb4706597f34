// spi.prepare and its arguments.
#include "api/spi/statement.h"
#include "lua/error.h"
#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "types/helpers.h"
#include "types/types.h"

extern "C" {
#include "parser/parse_type.h"
}

namespace pllua_bg::api {

namespace {

constexpr int kMaxParameters = 65535;

// scroll = false means no_scroll: to leave the choice to the server is to leave the option out.
int cursor_options(lua_State *L, int idx) {
    int options = 0;
    if (lua_getfield(L, idx, "scroll") != LUA_TNIL)
        options |= lua_toboolean(L, -1) ? CURSOR_OPT_SCROLL : CURSOR_OPT_NO_SCROLL;
    lua_pop(L, 1);
    if (lua::is_true(L, idx, "no_scroll")) options |= CURSOR_OPT_NO_SCROLL;
    if (lua::is_true(L, idx, "hold")) options |= CURSOR_OPT_HOLD;
    if (lua::is_true(L, idx, "fast_start")) options |= CURSOR_OPT_FAST_PLAN;
    if (lua::is_true(L, idx, "custom_plan")) options |= CURSOR_OPT_CUSTOM_PLAN;
    if (lua::is_true(L, idx, "generic_plan")) options |= CURSOR_OPT_GENERIC_PLAN;
    if ((options & CURSOR_OPT_SCROLL) != 0 && (options & CURSOR_OPT_NO_SCROLL) != 0)
        lua::raise(L, "22023", "cannot specify both scroll and no_scroll");
    return options;
}

// Zero, also when it is less, leaves the choice to the iterator.
int fetch_count(lua_State *L, int idx) {
    if (lua_getfield(L, idx, "fetch_count") == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    int is_integer;
    const lua_Integer count = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || count > 10000000)
        lua::raise(L, "22023", "fetch_count must be an integer of at most 10000000");
    lua_pop(L, 1);
    return static_cast<int>(Max(count, 0));
}

// How many types the table at idx declares, holes included.
int declared_count(lua_State *L, int idx) {
    lua_Integer highest = 0;
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1)) highest = Max(highest, lua_tointeger(L, -1));
    }
    if (highest > kMaxParameters) lua::raise(L, "54000", "too many parameters");
    return static_cast<int>(highest);
}

// 0 leaves the type to the statement.
Oid check_type_oid(lua_State *L, lua_Integer number) {
    const bool fits = number >= 0 && number <= OID_MAX;
    if (!fits) lua::raise(L, "22023", "%I is no OID of a type", number);
    const Oid type = static_cast<Oid>(number);
    if (OidIsValid(type)) pg::call(L, [type] { (void)types::lookup(type, -1); });
    return type;
}

// The type that the value at idx names.
Oid check_type_argument(lua_State *L, int idx) {
    if (lua_isinteger(L, idx)) return check_type_oid(L, lua_tointeger(L, idx));
    const int top = lua_gettop(L);
    if (lua_type(L, idx) == LUA_TUSERDATA) {
        // A type object; its method `name` gives the name that the parser takes.
        lua_getfield(L, idx, "name");
        lua_pushvalue(L, idx);
        lua_call(L, 1, 1);
        idx = lua_gettop(L);
    }
    if (lua_type(L, idx) != LUA_TSTRING)
        lua::raise(L, "22023", "a parameter type is a name, a type object or an OID, not a %s",
                   luaL_typename(L, idx));
    size_t length;
    const char *name = types::checked_string(L, idx, &length);
    Oid type = InvalidOid;
    pg::call(L, [name, &type] {
        int32 typmod;
        pg::parse_type_name(name, &type, &typmod);
    });
    lua_settop(L, top);
    return type;
}

} // namespace

Oid *check_parameter_types(lua_State *L, int idx, const char *sql, int *count) {
    const bool declared = !lua_isnil(L, idx);
    *count = Max(count_placeholders(sql), declared ? declared_count(L, idx) : 0);
    auto *types =
        static_cast<Oid *>(lua_newuserdatauv(L, sizeof(Oid) * static_cast<size_t>(*count) + 1, 0));
    for (int i = 0; i < *count; i++) {
        types[i] = InvalidOid;
        if (!declared) continue;
        if (lua_geti(L, idx, i + 1) != LUA_TNIL) types[i] = check_type_argument(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return types;
}

void push_type_object(lua_State *L, Oid type) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "pllua.pgtype");
    lua_remove(L, -2);
    lua_pushnil(L);
    types::push_type_name(L, type);
    lua_call(L, 2, 1);
}

int spi_prepare(lua_State *L) {
    size_t length;
    StatementRequest request = {};
    request.sql = types::checked_string(L, 1, &length);
    lua_settop(L, 3);
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        request.cursor_options = cursor_options(L, 3);
        request.fetch_count = fetch_count(L, 3);
    }
    if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    request.types = check_parameter_types(L, 2, request.sql, &request.count);
    push_statement(L, request);
    return 1;
}

} // namespace pllua_bg::api
