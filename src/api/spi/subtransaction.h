// spi.subtransaction(): a subtransaction that ends with the block of a <close> variable.
// An object holds the number of a level (pg/subxact.h), never the level.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::api {

// spi.subtransaction() -> object. Errors: lua.
int spi_subtransaction(lua_State *L);

// Makes the metatable of a new state. Errors: lua (memory).
void initialize_subtransactions(lua_State *L);

} // namespace pllua_bg::api
