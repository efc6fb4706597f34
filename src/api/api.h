// What Lua code sees of us, put into a new Lua state. Owns nothing.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::api {

// Installs into the globals table of a new state, before the sandbox is cut out of it: pcall,
// xpcall, lpcall, coroutine, load, print, and the modules bg, spi, pgtype, pllua.elog, pllua.error,
// pllua.jsonb, pllua.numeric, pllua.time. Called in protected mode. Errors: lua.
void open(lua_State *L);

// One line per module, each in a file of its own; each installs its globals. Errors: lua.
void open_protect(lua_State *L);   // pcall, xpcall, lpcall, load (lang/protect.cpp)
void open_coroutine(lua_State *L); // coroutine.* (lang/coroutine.cpp)
void open_spi(lua_State *L);       // spi.* (spi/module.cpp), quote_ident and friends
void open_elog(lua_State *L);      // print, pllua.elog (lang/elog.cpp)
void open_globals(lua_State *L);   // warn, _PG_VERSION and the like, pllua.paths (lang/globals.cpp)
void open_profiler(lua_State *L);  // the private module behind bg.profile (lang/profile.cpp)
void open_bg(lua_State *L);        // bg.* primitives (bg/module.cpp); the rest is Lua in lua/bg

} // namespace pllua_bg::api
