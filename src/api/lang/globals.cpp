// Globals that say where code runs, warn, and the module pllua.paths. Owns nothing.
#include "api/api.h"
#include "api/lang/elog.h"
#include "lua/sandbox.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/server.h"
#include "pg/settings.h"

extern "C" {
#include "miscadmin.h"
#include "port.h"
}

#include <ctime>

namespace pllua_bg::api {

namespace {

// The interface that ours follows.
constexpr char kInterfaceVersion[] = "2.0";
constexpr char kInterfaceRevision[] = "2.0010";

void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua::set_global(L, name);
}

void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua::set_global(L, name);
}

void set_versions(lua_State *L) {
    set_text(L, "_PG_VERSION", PG_VERSION);
    set_integer(L, "_PG_VERSION_NUM", pg::kServerVersion);
    set_text(L, "_PLVERSION", kInterfaceVersion);
    set_text(L, "_PLREVISION", kInterfaceRevision);
    set_text(L, "_PL_IDENT", pg::setting_interpreter_reload_ident);
    set_integer(L, "_PL_LOAD_TIME", static_cast<lua_Integer>(time(nullptr)));
}

// Lua's warn, on from the start. Upvalue: whether it is.
int warn(lua_State *L) {
    const int n = lua_gettop(L);
    luaL_checkstring(L, 1);
    for (int i = 2; i <= n; i++) luaL_checkstring(L, i);
    const char *text = lua_tostring(L, 1);
    if (n == 1 && text[0] == '@') {
        const bool on = strcmp(text, "@on") == 0;
        if (!on && strcmp(text, "@off") != 0) return 0;
        lua_pushboolean(L, on ? 1 : 0);
        lua_replace(L, lua_upvalueindex(1));
        return 0;
    }
    if (lua_toboolean(L, lua_upvalueindex(1)) == 0) return 0;
    lua_concat(L, n);
    send_text(L, WARNING);
    return 0;
}

void bin_path(const char *program, char *path) {
    strlcpy(path, program, MAXPGPATH);
    get_parent_directory(path);
}

void libdir_path(const char *, char *path) { strlcpy(path, pkglib_path, MAXPGPATH); }

template <void (*kGet)(const char *, char *)> int path(lua_State *L) {
    char text[MAXPGPATH];
    pg::call_no_subxact(L, [&text] { kGet(my_exec_path, text); });
    lua_pushstring(L, text);
    return 1;
}

// Not for trusted code, unless the administrator lets it in.
int open_paths(lua_State *L) {
    const luaL_Reg functions[] = {
        {"bin", path<bin_path>},
        {"doc", path<get_doc_path>},
        {"etc", path<get_etc_path>},
        {"html", path<get_html_path>},
        {"include", path<get_include_path>},
        {"includeserver", path<get_includeserver_path>},
        {"lib", path<get_lib_path>},
        {"libdir", path<libdir_path>},
        {"locale", path<get_locale_path>},
        {"man", path<get_man_path>},
        {"pkginclude", path<get_pkginclude_path>},
        {"pkglib", path<get_pkglib_path>},
        {"share", path<get_share_path>},
        {nullptr, nullptr},
    };
    lua_createtable(L, 0, 13);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

} // namespace

void open_globals(lua_State *L) {
    set_versions(L);
    lua_pushboolean(L, 1);
    lua_pushcclosure(L, warn, 1);
    lua::set_global(L, "warn");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_paths);
    lua_setfield(L, -2, "pllua.paths");
    lua_pop(L, 1);
}

} // namespace pllua_bg::api
