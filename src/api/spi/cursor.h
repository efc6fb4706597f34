// Cursors as Lua objects, and iteration over their rows.
// A cursor object refers to a portal and learns of its end; portals belong to the server, those of
// spi.rows to their object.
#pragma once

#include "api/spi/statement.h"
#include "lua/state.h"
#include "pg/actor.h"

extern "C" {
#include "utils/portal.h"
}

namespace pllua_bg::api {

// Key and name of the metatable (lua/userdata.h).
inline constexpr char kCursorType[] = "SPI cursor object";

// User values of a cursor.
constexpr int kCursorShape = 1; // the result shape (result.h) of its rows, once it is known
constexpr int kCursorName = 2;  // the name it has or will have; nil: not yet any
constexpr int kCursorValues = 2;

struct Cursor;

// The hooks of types::Hooks: make_cursor, push_cursor_name.
void make_named(lua_State *L);
bool push_cursor_name(lua_State *L, int idx);

// Allocated in the portal's memory: the server calls us when that goes, at whatever time.
struct CursorLink {
    MemoryContextCallback callback;
    Portal portal;
    Cursor *cursor;       // null when the object has gone before the portal
    lua::Interp *account; // of the interpreter that holds the object
    Size counted;         // bytes of the portal in it
};

struct Cursor {
    CursorLink *link; // null while no portal is open
    Cursor *before;   // list of private cursors
    Cursor *after;
    int fetch_count; // as Statement's
    bool finalized;  // its finalizer has run, and will not again
    bool is_private; // nobody else knows the portal: closed with the object
    bool is_owned;   // closed with the object, too, but others may know it
    pg::Actor actor; // as whom it was opened
};

// The cursor at idx. Errors: lua (another type; 55000, finalized).
Cursor *check_cursor(lua_State *L, int idx);
// Ties the object to the portal. Inside pg::call. Errors: pg (memory).
void attach_cursor(lua_State *L, Cursor *cursor, Portal portal);
// Bytes that a portal takes at least.
inline constexpr Size kLeastPortal = 16 * 1024;
// Counts what the portal holds now, be it the cursor's or not. Errors: none.
void count_cursor(lua_State *L, const Cursor *cursor);
// The portal; nullptr while closed. Errors: none.
Portal cursor_portal(const Cursor *cursor);
// The portal for a call of the server's; the cursor may have been closed by whatever ran before.
// Inside pg::call. Errors: pg 24000.
Portal require_portal(const Cursor *cursor);
// True while the server ends the portal: the executor of its query is
// closed before the portal goes, and may run close handlers of sets.
// A portal of another kind has no executor at that time. Errors: none.
bool is_ending(Portal portal);

// Pushes the object of an open portal: the one there is, else a new one. Errors: lua (memory).
Cursor *push_portal(lua_State *L, Portal portal);
// Pushes a new object without a portal. Errors: lua (memory).
Cursor *push_cursor(lua_State *L);
// Opens a portal for the statement at idx with nargs arguments from index `first` on, for the
// cursor at cursor_idx. Errors: lua.
void open_cursor(lua_State *L, int cursor_idx, int idx, int first, int nargs);
// Makes a cursor whose portal nobody else knows, pushes it. Errors: lua.
void push_private_cursor(lua_State *L, int idx, int first, int nargs);
// Closes the portal, if there is one; also while the database is closed. Errors: lua.
void close_cursor(lua_State *L, Cursor *cursor);
// Pushes the result shape of an open cursor's rows. Errors: lua.
void push_cursor_shape(lua_State *L, int cursor_idx);
// Forgets a private cursor. Errors: none.
void unlink_private(Cursor *cursor);

// Private cursors survive commit and rollback as the loops of plpgsql do: pinned for its time,
// the server holds their rows. It fetches them as the current user, so this is for the
// cursors that were opened as the current user and in the same security context; others end.
// Inside pg::call. Errors: pg.
void pin_private_cursors();
void unpin_private_cursors();

// Pushes what a generic `for` takes: an iterator over the cursor at cursor_idx, which gives rows or
// the values of their columns, nil, nil, and the cursor when it is to be closed with the loop.
// Returns 4 or 3. Errors: lua.
int push_iterator(lua_State *L, int cursor_idx, bool as_values);

// Lua functions of the module and of statements. Errors: lua.
int spi_findcursor(lua_State *L);
int spi_newcursor(lua_State *L);
int statement_rows(lua_State *L);
int statement_values(lua_State *L);
int statement_getcursor(lua_State *L);

// Makes the table of cursors by portal of a new state. Errors: lua (memory).
void initialize_portals(lua_State *L);
// The same, and the metatable. Errors: lua (memory).
void initialize_cursors(lua_State *L);

} // namespace pllua_bg::api
