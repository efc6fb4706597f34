// Lua modules compiled into the library as text, loaded at the first require. Owns nothing; the
// array is made by the build.
#pragma once

#include "lua/lua_api.h"

namespace pllua_bg::lua {

struct EmbeddedModule {
    const char *name;       // "bg.future" for lua/bg/future.lua, "bg" for lua/bg/init.lua
    const char *chunk_name; // what tracebacks show, with Lua's mark: "@lua/bg/future.lua"
    const char *source;
    unsigned long size; // bytes of source
};

extern const EmbeddedModule kEmbeddedModules[];
extern const int kEmbeddedModuleCount;

// The module of that name; null when there is none. Errors: none.
const EmbeddedModule *find_embedded(const char *name);
// Whether the source of a function, as lua_getinfo() gives it, is that of a module. Errors: none.
bool is_embedded_source(const char *source);
// Pushes the compiled chunk of the module and returns 1; returns 0 and pushes nothing when
// there is no such module. The chunk sees the state's real globals, in a trusted state too.
// Errors: lua (memory, syntax).
int load_embedded(lua_State *L, const char *name);
// A searcher for package.searchers: loader and chunk name, or a text that says what was missing.
// Errors: lua.
int search_embedded(lua_State *L);

} // namespace pllua_bg::lua
