// Memory of the server that Lua values hold, in the account of their interpreter (lua/state.h).
// Owns nothing: each kind of object counts its own memory contexts where it makes them, where they
// have grown, and where it gives them back.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Raises when so many bytes more exceed the limit, also after garbage was collected and the plans
// that spi.execute keeps were forgotten. Errors: lua (53200).
void require_memory(lua_State *L, Size bytes);

// Counts that what had `*counted` bytes in the account has `now`. May run finalizers. Errors: none.
void recount(lua_State *L, Size *counted, Size now);

} // namespace pllua_bg::api
