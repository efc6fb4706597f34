// Cursor objects and the portals behind them. See cursor.h for the contracts.
#include "api/spi/cursor.h"

#include "api/account.h"
#include "api/lang/result.h"
#include "api/spi/cache.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/plans.h"
#include "pg/subxact.h"
#include "types/types.h"

extern "C" {
#include "tcop/pquery.h"
}

namespace pllua_bg::api {

namespace {

// Registry key of the table of cursor objects by portal, with weak values: its address.
constexpr char kPortals = 0;

// True while the server ends the portal: the executor of its query is closed before the portal
// goes, and may run close handlers of sets. A portal of another kind has no executor at that time.
bool is_ending(Portal portal) {
    return portal->strategy == PORTAL_ONE_SELECT && portal->queryDesc == nullptr &&
           portal->holdStore == nullptr && portal->status != PORTAL_DEFINED;
}

// Remembers the object at idx as that of its portal.
void register_cursor(lua_State *L, int idx, Portal portal) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPortals);
    lua_pushvalue(L, idx);
    lua_rawsetp(L, -2, portal);
    lua_pop(L, 1);
}

void set_name(lua_State *L, int idx, const char *name) {
    lua_pushstring(L, name);
    lua_setiuservalue(L, idx, kCursorName);
}

int collect_cursor(lua_State *L) {
    auto *cursor = static_cast<Cursor *>(lua_touserdata(L, 1));
    CursorLink *link = cursor->link;
    cursor->link = nullptr;
    if (link != nullptr) link->cursor = nullptr;
    if (!cursor->is_private) return 0;
    unlink_private(cursor);
    // While an error is pending the portal may not be touched; it goes with the transaction.
    if (link == nullptr || pg::pending_error() != nullptr || is_ending(link->portal)) return 0;
    Portal portal = link->portal;
    // The functions of its query may have something to close.
    pg::call_own_subxact(L, [portal] { SPI_cursor_close(portal); });
    return 0;
}

// The portal for a call of the server's; the cursor may have been closed by whatever ran before.
// Inside pg::call.
Portal require_portal(const Cursor *cursor) {
    Portal portal = cursor_portal(cursor);
    if (portal == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("attempting to fetch from a closed cursor")));
    return portal;
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

int cursor_fetch(lua_State *L) {
    Cursor *cursor = check_cursor(L, 1);
    const auto count = static_cast<long>(luaL_optinteger(L, 2, 1));
    const FetchDirection direction = check_direction(L, 3);
    lua_settop(L, 1);
    if (cursor->link != nullptr) push_cursor_shape(L, 1);
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
    Cursor *cursor = check_cursor(L, 1);
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

int cursor_open(lua_State *L) {
    check_cursor(L, 1);
    replace_command(L, 2, 3, lua_gettop(L) - 2, 0, "cursor open");
    open_cursor(L, 1, 2, 3, lua_gettop(L) - 2);
    lua_settop(L, 1);
    return 1;
}

int cursor_rows(lua_State *L) {
    check_cursor(L, 1);
    return push_iterator(L, 1);
}

} // namespace

// Replaces the name on top by its cursor, open or not.
void make_named(lua_State *L) {
    Portal portal = SPI_cursor_find(lua_tostring(L, -1));
    if (portal != nullptr) {
        push_portal(L, portal);
    } else {
        push_cursor(L);
        lua_pushvalue(L, -2);
        lua_setiuservalue(L, -2, kCursorName);
    }
    lua_remove(L, -2);
}

bool push_cursor_name(lua_State *L, int idx) {
    if (lua::to_userdata<Cursor>(L, idx, kCursorType) == nullptr) return false;
    if (lua_getiuservalue(L, idx, kCursorName) == LUA_TNIL)
        lua::raise(L, "34000", "the cursor has no name yet");
    return true;
}

Cursor *check_cursor(lua_State *L, int idx) {
    return lua::check_userdata<Cursor>(L, idx, kCursorType);
}

Cursor *push_cursor(lua_State *L) {
    return lua::new_userdata<Cursor>(L, kCursorType, kCursorValues);
}

Cursor *push_portal(lua_State *L, Portal portal) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPortals);
    lua_rawgetp(L, -1, portal);
    lua_remove(L, -2);
    auto *known = lua::to_userdata<Cursor>(L, -1, kCursorType);
    // Another portal may have come to live at the address of one that is gone.
    if (known != nullptr && cursor_portal(known) == portal) return known;
    lua_pop(L, 1);
    Cursor *cursor = push_cursor(L);
    const int idx = lua_gettop(L);
    set_name(L, idx, portal->name);
    pg::call_no_subxact(L, [=] { attach_cursor(L, cursor, portal); });
    count_cursor(L, cursor);
    register_cursor(L, idx, portal);
    return cursor;
}

void open_cursor(lua_State *L, int cursor_idx, int idx, int first, int nargs) {
    auto *cursor = static_cast<Cursor *>(lua_touserdata(L, cursor_idx));
    auto *statement = static_cast<Statement *>(lua_touserdata(L, idx));
    if (cursor->link != nullptr) lua::raise(L, "24000", "cursor is already open");
    check_argument_count(L, statement, nargs);
    require_memory(L, kLeastPortal);
    lua_getiuservalue(L, cursor_idx, kCursorName);
    const char *name = lua_tostring(L, -1);
    ParamArena *arena = take_arena(L);
    const int handle = lua_gettop(L);
    set_parameters(L, arena, first, nargs, statement->types);
    TupleDesc descriptor = nullptr;
    Portal portal = nullptr;
    pg::call(L, [&] {
        pg::ensure_spi();
        pg::refresh_plans();
        cursor->actor = pg::current_actor();
        portal = SPI_cursor_open_with_paramlist(name, statement->plan, arena->params,
                                                pg::current_activation->read_only);
        pg::note_portal(portal);
        attach_cursor(L, cursor, portal);
        if (cursor->is_private) portal->visible = false; // in pg_cursors
        // Lua code that runs while we make the shape could close the portal.
        MemoryContextSwitchTo(arena->context);
        descriptor = CreateTupleDescCopy(portal->tupDesc);
        name = MemoryContextStrdup(arena->context, portal->name);
    });
    count_cursor(L, cursor);
    count_statement(L, statement);
    cursor->fetch_count = statement->fetch_count;
    set_name(L, cursor_idx, name);
    if (!cursor->is_private && cursor->link != nullptr) register_cursor(L, cursor_idx, portal);
    push_statement_shape(L, idx, descriptor);
    lua_setiuservalue(L, cursor_idx, kCursorShape);
    return_arena(L, handle);
    lua_settop(L, handle - 2);
}

void close_cursor(lua_State *L, Cursor *cursor) {
    if (cursor->link == nullptr) return;
    const auto close = [cursor] {
        Portal portal = cursor_portal(cursor);
        if (portal != nullptr && !is_ending(portal)) SPI_cursor_close(portal);
    };
    // What a portal has left to close when it ends runs without the database in any case.
    if (pg::database_closed != nullptr && pg::pending_error() == nullptr)
        pg::call_no_subxact(L, close);
    else
        pg::call(L, close);
}

void push_cursor_shape(lua_State *L, int cursor_idx) {
    if (lua_getiuservalue(L, cursor_idx, kCursorShape) != LUA_TNIL) return;
    lua_pop(L, 1);
    const auto *cursor = static_cast<const Cursor *>(lua_touserdata(L, cursor_idx));
    ParamArena *arena = take_arena(L);
    TupleDesc descriptor = nullptr;
    pg::call(L, [=, &descriptor] {
        Portal portal = require_portal(cursor);
        if (portal->tupDesc == nullptr)
            ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                            errmsg("cursor \"%s\" returns no rows", portal->name)));
        MemoryContextSwitchTo(arena->context);
        descriptor = CreateTupleDescCopy(portal->tupDesc);
    });
    push_result_shape(L, descriptor);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, cursor_idx, kCursorShape);
    return_arena(L, -2);
    lua_remove(L, -2);
}

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
        {"fetch", cursor_fetch},   {"move", cursor_move}, {"close", cursor_close},
        {"isopen", cursor_isopen}, {"name", cursor_name}, {"open", cursor_open},
        {"rows", cursor_rows},     {nullptr, nullptr},
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
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kPortals);
}

} // namespace pllua_bg::api
