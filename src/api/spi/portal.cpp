// The tie between a cursor object and its portal, and what the portal costs: it stays when
// the object goes, so what it holds is counted until the server ends it. See cursor.h for
// the contracts.
#include "api/account.h"
#include "api/spi/cursor.h"

extern "C" {
#include "utils/plancache.h"
}

namespace pllua_bg::api {

namespace {

// What a portal costs the server beside its memory contexts.
constexpr Size kPortalBytes = 2 * 1024;

void portal_is_gone(void *argument) {
    auto *link = static_cast<CursorLink *>(argument);
    if (link->cursor != nullptr) link->cursor->link = nullptr;
    lua::release_external(link->account, link->counted);
}

// A plan that was made for the values of this portal alone is its own.
Size size_of(Portal portal) {
    Size size = kPortalBytes + MemoryContextMemAllocated(portal->portalContext, true);
    if (portal->holdContext != nullptr)
        size += MemoryContextMemAllocated(portal->holdContext, true);
    if (portal->cplan != nullptr && portal->cplan->refcount == 1)
        size += MemoryContextMemAllocated(portal->cplan->context, true);
    return size;
}

} // namespace

void attach_cursor(lua_State *L, Cursor *cursor, Portal portal) {
    auto *link = static_cast<CursorLink *>(
        MemoryContextAllocZero(portal->portalContext, sizeof(CursorLink)));
    link->callback.func = portal_is_gone;
    link->callback.arg = link;
    link->portal = portal;
    link->cursor = cursor;
    link->account = lua::interp(L);
    MemoryContextRegisterResetCallback(portal->portalContext, &link->callback);
    cursor->link = link;
}

Portal cursor_portal(const Cursor *cursor) {
    return cursor->link == nullptr ? nullptr : cursor->link->portal;
}

void count_cursor(lua_State *L, const Cursor *cursor) {
    if (cursor->link != nullptr) recount(L, &cursor->link->counted, size_of(cursor->link->portal));
}

Portal require_portal(const Cursor *cursor) {
    Portal portal = cursor_portal(cursor);
    if (portal == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_CURSOR_STATE),
                        errmsg("attempting to fetch from a closed cursor")));
    return portal;
}

bool is_ending(Portal portal) {
    return portal->strategy == PORTAL_ONE_SELECT && portal->queryDesc == nullptr &&
           portal->holdStore == nullptr && portal->status != PORTAL_DEFINED;
}

} // namespace pllua_bg::api
