// The environment of trusted code: a table of its own that holds only what is allowed, with its own
// require. Owns that table (in the registry). The state's real globals keep everything, for code of
// the administrator.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

// Builds the sandbox. Called once by create_interp for a trusted state, after the libraries.
// Errors: lua (memory).
void create_sandbox(lua_State *L);
// Pushes the sandbox; nil when the state has none. Errors: none.
void push_sandbox(lua_State *L);

// Pushes the globals that user code sees: the sandbox of a trusted state, else the state's own
// globals. Needs one stack slot. Errors: none.
void push_user_globals(lua_State *L);

// Sets a global of user code (both in the sandbox, when there is one, and in the real globals) to
// the value on top, which is popped. Errors: lua (memory).
void set_global(lua_State *L, const char *name);
// Replaces member `name` of the library `library` ("coroutine", "string") in both environments by
// the value on top, which is popped. Errors: lua (memory).
void set_library_member(lua_State *L, const char *library, const char *name);

// Makes the value on top, which is popped, the loaded module `name` in both environments.
// Errors: lua (memory).
void set_module(lua_State *L, const char *name);
// The same for the real globals alone: not visible in the sandbox.
void set_private_module(lua_State *L, const char *name);

// Makes the function on top, which is popped, the loader of the module `name` in both environments
// (package.preload). Errors: lua (memory).
void set_preload(lua_State *L, const char *name);

// Pushes the module 'pllua.trusted' (allow, require, remove, modes): what the administrator's
// start-up code uses to let more modules into the sandbox. Found by the real require only. Without
// a sandbox it works on an empty one. Errors: lua.
int open_trusted(lua_State *L);

} // namespace pllua_bg::lua
