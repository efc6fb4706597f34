// Cursors that nobody but their object knows: those of loops over rows. Owns the list of them, and
// makes names for their portals that nobody can guess.
#include "api/spi/cursor.h"
#include "lua/error.h"
#include "pg/list.h"

namespace pllua_bg::api {

namespace {

pg::LinkedList<Cursor> private_cursors;

// Between two rows of a set its caller runs: knowing the name he could fetch the rows himself.
void set_secret_name(lua_State *L, int idx) {
    // Asking for many bytes at once costs little more than asking for a few.
    constexpr int kSecrets = 64;
    static uint64 secrets[kSecrets];
    static int left = 0;
    if (left == 0) {
        if (!pg_strong_random(secrets, sizeof(secrets)))
            lua::raise(L, "XX000", "could not generate a random number");
        left = kSecrets;
    }
    left -= 2;
    char name[NAMEDATALEN];
    pg_snprintf(name, sizeof(name), "pllua_bg rows " UINT64_FORMAT " " UINT64_FORMAT, secrets[left],
                secrets[left + 1]);
    lua_pushstring(L, name);
    lua_setiuservalue(L, idx, kCursorName);
}

} // namespace

void push_private_cursor(lua_State *L, int idx, int first, int nargs) {
    Cursor *cursor = push_cursor(L);
    set_secret_name(L, lua_gettop(L));
    cursor->is_private = true;
    private_cursors.append(cursor);
    open_cursor(L, lua_gettop(L), idx, first, nargs);
}

void unlink_private(Cursor *cursor) {
    if (cursor->is_private) private_cursors.remove(cursor);
}

void pin_private_cursors() {
    for (Cursor *cursor = private_cursors.first; cursor != nullptr; cursor = cursor->after) {
        Portal portal = cursor_portal(cursor);
        if (portal != nullptr && !portal->portalPinned && pg::is_current(cursor->actor))
            PinPortal(portal);
    }
}

void unpin_private_cursors() {
    for (Cursor *cursor = private_cursors.first; cursor != nullptr; cursor = cursor->after) {
        Portal portal = cursor_portal(cursor);
        if (portal != nullptr && portal->portalPinned) UnpinPortal(portal);
    }
}

} // namespace pllua_bg::api
