// What Lua code calls of cursors: the functions of spi that make them, and their methods.
// Owns nothing.
#include "api/lang/result.h"
#include "api/spi/cache.h"
#include "api/spi/cursor.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "pg/subxact.h"

extern "C" {
#include "tcop/pquery.h"
}

namespace pllua_bg::api {

namespace {

int collect_cursor(lua_State *L) {
    auto *cursor = static_cast<Cursor *>(lua_touserdata(L, 1));
    CursorLink *link = cursor->link;
    cursor->link = nullptr;
    cursor->finalized = true;
    if (link != nullptr) link->cursor = nullptr;
    unlink_private(cursor);
    if (link == nullptr || !cursor->is_owned) return 0;
    Portal portal = link->portal;
    // While an error is pending the portal may not be touched, nor may one that others use just
    // now; it goes with the transaction.
    if (pg::pending_error() != nullptr || is_ending(portal) || portal->portalPinned ||
        portal->status == PORTAL_ACTIVE)
        return 0;
    // The functions of its query may have something to close.
    pg::call_own_subxact(L, [portal] { SPI_cursor_close(portal); });
    return 0;
}

FetchDirection check_direction(lua_State *L, int idx) {
    if (lua_isnoneornil(L, idx)) return FETCH_FORWARD;
    const char *name = luaL_checkstring(L, idx);
    if (strcmp(name, "forward") == 0 || strcmp(name, "next") == 0) return FETCH_FORWARD;
    if (strcmp(name, "backward") == 0 || strcmp(name, "prior") == 0) return FETCH_BACKWARD;
    if (strcmp(name, "absolute") == 0) return FETCH_ABSOLUTE;
    if (strcmp(name, "relative") == 0) return FETCH_RELATIVE;
    lua::raise(L, "22023", "unknown fetch direction '%s'", name);
}

// As an error of Lua's own: nothing was begun. Errors: lua.
Cursor *check_open_cursor(lua_State *L) {
    Cursor *cursor = check_cursor(L, 1);
    if (cursor->link == nullptr) lua::raise(L, "24000", "attempting to fetch from a closed cursor");
    return cursor;
}

int cursor_fetch(lua_State *L) {
    Cursor *cursor = check_open_cursor(L);
    const auto count = static_cast<long>(luaL_optinteger(L, 2, 1));
    const FetchDirection direction = check_direction(L, 3);
    lua_settop(L, 1);
    push_cursor_shape(L, 1);
    ParamArena *arena = take_arena(L);
    const int handle = lua_gettop(L);
    RowStore *rows = &arena->rows;
    prepare_store(rows, L, arena->context, nullptr);
    pg::call(L, [=] {
        (void)PortalRunFetch(require_portal(cursor), direction, count, &rows->receiver);
    });
    count_cursor(L, cursor);
    char tag[64];
    pg_snprintf(tag, sizeof(tag), "FETCH " UINT64_FORMAT, rows->count);
    ResultBuilder builder;
    begin_result(L, &builder, 2, rows->count);
    RowReader reader;
    start_reading(&reader, rows);
    while (next_row(&reader)) add_row(&builder, reader.values, reader.nulls);
    finish_result(&builder, tag);
    return_arena(L, handle);
    return 1;
}

int cursor_move(lua_State *L) {
    Cursor *cursor = check_open_cursor(L);
    const auto count = static_cast<long>(luaL_optinteger(L, 2, 1));
    const FetchDirection direction = check_direction(L, 3);
    uint64 moved = 0;
    pg::call(L, [=, &moved] {
        moved = PortalRunFetch(require_portal(cursor), direction, count, None_Receiver);
    });
    count_cursor(L, cursor);
    lua_pushinteger(L, static_cast<lua_Integer>(moved));
    return 1;
}

int cursor_close(lua_State *L) {
    close_cursor(L, check_cursor(L, 1));
    return 0;
}

int cursor_isopen(lua_State *L) {
    lua_pushboolean(L, check_cursor(L, 1)->link != nullptr);
    return 1;
}

int cursor_name(lua_State *L) {
    check_cursor(L, 1);
    lua_getiuservalue(L, 1, kCursorName);
    return 1;
}

// Whether the portal is closed when the object is garbage. Returns the cursor.
template <bool kOwned> int cursor_set_owned(lua_State *L) {
    check_cursor(L, 1)->is_owned = kOwned;
    lua_settop(L, 1);
    return 1;
}

int cursor_isowned(lua_State *L) {
    lua_pushboolean(L, check_cursor(L, 1)->is_owned);
    return 1;
}

int cursor_open(lua_State *L) {
    check_cursor(L, 1);
    replace_command(L, 2, 3, lua_gettop(L) - 2, 0, "cursor open");
    open_cursor(L, 1, 2, 3, lua_gettop(L) - 2);
    lua_settop(L, 1);
    return 1;
}

int cursor_rows(lua_State *L) {
    check_cursor(L, 1);
    return push_iterator(L, 1, false);
}

} // namespace

int spi_findcursor(lua_State *L) {
    Portal portal = SPI_cursor_find(luaL_checkstring(L, 1));
    if (portal == nullptr)
        lua_pushnil(L);
    else
        push_portal(L, portal);
    return 1;
}

int spi_newcursor(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        push_cursor(L);
        return 1;
    }
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    make_named(L);
    return 1;
}

int statement_getcursor(lua_State *L) {
    check_statement(L, 1);
    const int nargs = lua_gettop(L) - 1;
    push_cursor(L);
    open_cursor(L, nargs + 2, 1, 2, nargs);
    return 1;
}

void initialize_cursors(lua_State *L) {
    const luaL_Reg methods[] = {
        {"fetch", cursor_fetch},
        {"move", cursor_move},
        {"close", cursor_close},
        {"isopen", cursor_isopen},
        {"name", cursor_name},
        {"open", cursor_open},
        {"rows", cursor_rows},
        {"own", cursor_set_owned<true>},
        {"disown", cursor_set_owned<false>},
        {"isowned", cursor_isowned},
        {nullptr, nullptr},
    };
    lua::new_metatable(L, kCursorType);
    lua_pushcfunction(L, collect_cursor);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, cursor_close);
    lua_setfield(L, -2, "__close");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    initialize_portals(L);
}

} // namespace pllua_bg::api
