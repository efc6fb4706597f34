// Builds the sandbox out of the state's libraries, and its mini package library.
#include "lua/sandbox.h"

#include <cstring>

#include "lua/baselib.h"
#include "lua/loader.h"
#include "lua/stack.h"
#include "lua/stock.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// Registry keys: their addresses.
constexpr char kSandbox = 0;
constexpr char kLoaded = 1;  // package.loaded of the sandbox
constexpr char kAllowed = 2; // module name -> function that returns the module

constexpr char kTrustedModule[] = "pllua.trusted";

constexpr const char *kGlobals[] = {
    "_VERSION", "assert",       "collectgarbage", "error",    "getmetatable", "ipairs", "next",
    "pairs",    "pcall",        "print",          "rawequal", "rawget",       "rawlen", "rawset",
    "select",   "setmetatable", "tonumber",       "tostring", "type",         "warn",   "xpcall",
};
constexpr const char *kWholeLibraries[] = {"bit32", "coroutine", "math", "string", "table", "utf8"};
constexpr const char *kSystemMembers[] = {"clock", "date", "difftime", "time", nullptr};
constexpr const char *kDebugMembers[] = {"traceback", nullptr};

// Longest format of os.date; what a longer one makes could not be interrupted.
constexpr size_t kMaxDateFormat = 1 << 16;

bool has_sandbox(lua_State *L) {
    bool has = lua_rawgetp(L, LUA_REGISTRYINDEX, &kSandbox) == LUA_TTABLE;
    lua_pop(L, 1);
    return has;
}

void push_loaded(lua_State *L, bool sandbox) {
    if (sandbox)
        lua_rawgetp(L, LUA_REGISTRYINDEX, &kLoaded);
    else
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

// Pushes a copy of the library with all members, or with those of a list ended by null.
void push_library_copy(lua_State *L, const char *library, const char *const *members) {
    lua_newtable(L);
    push_loaded(L, false);
    lua_getfield(L, -1, library);
    lua_remove(L, -2);
    if (members != nullptr) {
        for (; *members != nullptr; members++) {
            lua_getfield(L, -1, *members);
            lua_setfield(L, -3, *members);
        }
    } else {
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -5);
        }
    }
    lua_pop(L, 1);
}

// Pops a library, makes it a global and a loaded module of the sandbox.
void install_library(lua_State *L, const char *name) {
    push_sandbox(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    push_loaded(L, true);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

// Precompiled chunks could break the interpreter: nothing makes or takes them. The methods of
// strings are a copy that code in the sandbox cannot reach, so that it cannot change them under the
// feet of other code.
void restrict_strings(lua_State *L) {
    push_loaded(L, true);
    lua_getfield(L, -1, "string");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 2);

    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    push_library_copy(L, "string", nullptr);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
}

int bounded_date(lua_State *L) {
    size_t length = 0;
    luaL_optlstring(L, 1, "", &length);
    if (length > kMaxDateFormat) return luaL_error(L, "date format too long");
    return run_guarded(L);
}

// Upvalues: package, package.loaded.
int require_module(lua_State *L) {
    check_stack(L);
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2)); // 2: loaded
    lua_getfield(L, 2, name);
    if (lua_toboolean(L, -1)) return 1;
    lua_settop(L, 2);
    if (lua_getfield(L, lua_upvalueindex(1), "searchers") != LUA_TTABLE) // 3
        return luaL_error(L, "'package.searchers' must be a table");
    lua_pushliteral(L, ""); // 4: what the searchers said
    for (lua_Integer i = 1;; i++) {
        if (lua_rawgeti(L, 3, i) == LUA_TNIL) {
            luaL_where(L, 1);
            if (*lua_tostring(L, -1) == '\0') luaL_where(L, 2); // C between it and who requires
            lua_pushfstring(L, "%smodule '%s' not found:%s", lua_tostring(L, -1), name,
                            lua_tostring(L, 4));
            return lua_error(L);
        }
        lua_pushvalue(L, 1);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) break;
        lua_pop(L, 1);
        if (lua_isstring(L, -1)) {
            lua_pushfstring(L, "%s\n\t%s", lua_tostring(L, 4), lua_tostring(L, -1));
            lua_replace(L, 4);
        }
        lua_settop(L, 4);
    }
    // 5: loader, 6: its data
    lua_pushvalue(L, 5);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 6);
    lua_call(L, 2, 1);
    if (!lua_isnil(L, -1))
        lua_setfield(L, 2, name);
    else
        lua_pop(L, 1);
    if (lua_getfield(L, 2, name) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_copy(L, -1, -2);
        lua_setfield(L, 2, name);
    }
    lua_pushvalue(L, 6);
    return 2;
}

// Upvalue: package.preload.
int search_preload(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    if (lua_getfield(L, lua_upvalueindex(1), name) == LUA_TNIL) {
        lua_pushfstring(L, "no field package.preload['%s']", name);
        return 1;
    }
    lua_pushliteral(L, ":preload:");
    return 2;
}

// Loads an embedded module through the state's own require, so that both environments share it.
int load_shared(lua_State *L) {
    lua_settop(L, 1);
    push_loaded(L, false);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_getfield(L, -1, "require");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

int search_allowed(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kAllowed);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        const EmbeddedModule *module = find_embedded(name);
        // Parts of a module, such as bg.wait, are its own affair.
        if (module == nullptr || strchr(name, '.') != nullptr) {
            lua_pushfstring(L, "no module '%s' in list of allowed modules", name);
            return 1;
        }
        lua_pushcfunction(L, load_shared);
    }
    lua_pushstring(L, name);
    return 2;
}

void install_package(lua_State *L) {
    lua_createtable(L, 0, 4);
    int package = lua_gettop(L);
    push_loaded(L, true);
    lua_setfield(L, package, "loaded");

    lua_newtable(L);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, search_preload, 1);
    lua_rawseti(L, -2, 1);
    lua_pushcfunction(L, search_allowed);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, package, "searchers");
    lua_setfield(L, package, "preload");

    push_sandbox(L);
    lua_pushvalue(L, package);
    push_loaded(L, true);
    lua_pushcclosure(L, require_module, 2);
    lua_pushvalue(L, -1);
    lua_setfield(L, package, "require");
    lua_setfield(L, -2, "require");
    lua_pop(L, 1);
    install_library(L, "package");
}

void install_globals(lua_State *L) {
    push_sandbox(L);
    for (const char *name : kGlobals) {
        lua_getglobal(L, name);
        lua_setfield(L, -2, name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    set_load_function(L, true, -1);
    lua_pop(L, 1);
}

} // namespace

void create_sandbox(lua_State *L) {
    static constexpr const char *kKeys[] = {&kSandbox, &kLoaded, &kAllowed};
    for (const char *key : kKeys) {
        lua_newtable(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    }
    install_globals(L);
    for (const char *library : kWholeLibraries) {
        push_library_copy(L, library, nullptr);
        install_library(L, library);
    }
    push_library_copy(L, "os", kSystemMembers);
    static const luaL_Reg kGuards[] = {{"date", bounded_date}, {nullptr, nullptr}};
    set_guards(L, kGuards);
    install_library(L, "os");
    push_library_copy(L, "debug", kDebugMembers);
    install_library(L, "debug");
    restrict_strings(L);
    install_package(L);
}

void push_sandbox(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &kSandbox); }

void push_user_globals(lua_State *L) {
    if (has_sandbox(L))
        push_sandbox(L);
    else
        lua_pushglobaltable(L);
}

void set_global(lua_State *L, const char *name) {
    if (has_sandbox(L)) {
        push_sandbox(L);
        lua_pushstring(L, name);
        lua_pushvalue(L, -3);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    lua_pushglobaltable(L);
    lua_insert(L, -2);
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void set_library_member(lua_State *L, const char *library, const char *name) {
    for (int sandbox = has_sandbox(L) ? 1 : 0; sandbox >= 0; sandbox--) {
        push_loaded(L, sandbox != 0);
        if (lua_getfield(L, -1, library) == LUA_TTABLE) {
            lua_pushvalue(L, -3);
            lua_setfield(L, -2, name);
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

void set_module(lua_State *L, const char *name) {
    if (has_sandbox(L)) {
        push_loaded(L, true);
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, name);
        lua_pop(L, 1);
    }
    set_private_module(L, name);
}

void set_private_module(lua_State *L, const char *name) {
    push_loaded(L, false);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void set_preload(lua_State *L, const char *name) {
    for (int sandbox = has_sandbox(L) ? 1 : 0; sandbox >= 0; sandbox--) {
        push_loaded(L, sandbox != 0);
        lua_getfield(L, -1, "package");
        lua_getfield(L, -1, "preload");
        lua_pushvalue(L, -4);
        lua_setfield(L, -2, name);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

int open_trusted(lua_State *L) {
    lua_settop(L, 0);
    if (load_embedded(L, kTrustedModule) == 0)
        return luaL_error(L, "module '%s' is missing", kTrustedModule);
    if (has_sandbox(L)) {
        push_sandbox(L);
        push_loaded(L, true);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &kAllowed);
    } else {
        for (int i = 0; i < 3; i++) lua_newtable(L);
    }
    lua_call(L, 3, 1);
    return 1;
}

} // namespace pllua_bg::lua
