// Cursor objects and the portals behind them. See cursor.h for the contracts.
#include "api/spi/cursor.h"

#include "api/account.h"
#include "api/lang/result.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "pg/plans.h"
#include "types/types.h"

namespace pllua_bg::api {

namespace {

// Registry key of the table of cursor objects by portal, with weak values: its address.
constexpr char kPortals = 0;

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

// The rows of a held cursor are made at the commit, when nothing is restricted any more: the server
// refuses DECLARE there. Inside pg::call. Errors: pg (42501).
void check_may_hold(const Statement *statement, const Cursor *cursor) {
    if ((statement->cursor_options & CURSOR_OPT_HOLD) == 0 || cursor->is_private) return;
    if (InSecurityRestrictedOperation())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("cannot hold a cursor within a security-restricted operation")));
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
    auto *cursor = lua::to_userdata<Cursor>(L, idx, kCursorType);
    if (cursor == nullptr) return false;
    if (lua_getiuservalue(L, idx, kCursorName) == LUA_TNIL)
        lua::raise(L, "34000", "the cursor has no name yet");
    // Whoever gets the name may need the portal for longer than the object lives.
    cursor->is_owned = false;
    return true;
}

Cursor *check_cursor(lua_State *L, int idx) {
    auto *cursor = lua::check_userdata<Cursor>(L, idx, kCursorType);
    if (cursor->finalized) lua::raise_finalized(L, "a cursor");
    return cursor;
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
        check_may_hold(statement, cursor);
        portal = SPI_cursor_open_with_paramlist(name, statement->plan, arena->params,
                                                pg::current_activation->read_only);
        pg::note_portal(portal);
        attach_cursor(L, cursor, portal);
        if (cursor->is_private) {
            portal->visible = false; // in pg_cursors
            portal->cursorOptions &= ~CURSOR_OPT_HOLD;
        }
        // Lua code that runs while we make the shape could close the portal.
        MemoryContextSwitchTo(arena->context);
        descriptor = CreateTupleDescCopy(portal->tupDesc);
        name = MemoryContextStrdup(arena->context, portal->name);
    });
    count_cursor(L, cursor);
    count_statement(L, statement);
    cursor->fetch_count = statement->fetch_count;
    cursor->is_owned = true;
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

void initialize_portals(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kPortals);
}

} // namespace pllua_bg::api
