// Finds embedded modules by name and compiles them.
#include "lua/loader.h"

#include <cstring>

#include "lua/no_server.h"

namespace pllua_bg::lua {

const EmbeddedModule *find_embedded(const char *name) {
    for (int i = 0; i < kEmbeddedModuleCount; i++) {
        if (strcmp(kEmbeddedModules[i].name, name) == 0) return &kEmbeddedModules[i];
    }
    return nullptr;
}

bool is_embedded_source(const char *source) {
    if (*source != '@') return false; // most are those of functions
    for (int i = 0; i < kEmbeddedModuleCount; i++) {
        if (strcmp(kEmbeddedModules[i].chunk_name, source) == 0) return true;
    }
    return false;
}

int load_embedded(lua_State *L, const char *name) {
    const EmbeddedModule *module = find_embedded(name);
    if (module == nullptr) return 0;
    if (luaL_loadbufferx(L, module->source, module->size, module->chunk_name, "t") != LUA_OK)
        lua_error(L);
    return 1;
}

int search_embedded(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    if (load_embedded(L, name) == 0) {
        lua_pushfstring(L, "no embedded module '%s'", name);
        return 1;
    }
    lua_pushstring(L, find_embedded(name)->chunk_name);
    return 2;
}

} // namespace pllua_bg::lua
