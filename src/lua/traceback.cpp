// Errors and tracebacks without the frames of the library. See traceback.h for the contracts.
#include "lua/traceback.h"

#include <cstring>

#include "lua/loader.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr char kTitle[] = "stack traceback:";

// The level of the function that code outside of the library has called.
int outer_level(lua_State *L) {
    int level = 0;
    lua_Debug frame;
    while (lua_getstack(L, level + 1, &frame) != 0 && lua_getinfo(L, "S", &frame) != 0 &&
           is_embedded_source(frame.source))
        level++;
    return level;
}

void raise_argument_error(lua_State *L, int idx, const char *message) {
    const int level = outer_level(L);
    lua_Debug frame;
    if (level == 0 || lua_getstack(L, level, &frame) == 0) {
        luaL_argerror(L, idx, message);
        return;
    }
    lua_getinfo(L, "n", &frame);
    const char *name = frame.name != nullptr ? frame.name : "?";
    luaL_where(L, level + 1);
    const bool method = strcmp(frame.namewhat, "method") == 0;
    if (method && idx == 1)
        lua_pushfstring(L, "calling '%s' on bad self (%s)", name, message);
    else
        lua_pushfstring(L, "bad argument #%d to '%s' (%s)", method ? idx - 1 : idx, name, message);
    lua_concat(L, 2);
    lua_error(L);
}

// Whether a line of a traceback is that of a frame of the library: "\n\tlua/bg/wait.lua:31: ...".
bool is_hidden(const char *line) {
    for (int i = 0; i < kEmbeddedModuleCount; i++) {
        const char *name = kEmbeddedModules[i].chunk_name + 1;
        const size_t length = strlen(name);
        if (strncmp(line + 2, name, length) == 0 && line[2 + length] == ':') return true;
    }
    return false;
}

// Whether it says something of the frame of the next line only: what that has called, or how.
bool belongs_to_next(const char *line) {
    return strncmp(line, "\n\t[C]: in ", 10) == 0 || strncmp(line, "\n\t(...tail", 10) == 0;
}

// Adds the lines from `line` on, each of which begins with the end of the one before.
void add_shown_lines(luaL_Buffer *buffer, const char *line) {
    const char *kept = line; // not known yet from here on
    while (*line != '\0') {
        const char *next = strchr(line + 1, '\n');
        if (next == nullptr) next = line + strlen(line);
        if (is_hidden(line)) {
            kept = next;
        } else if (!belongs_to_next(line) || *next == '\0') {
            luaL_addlstring(buffer, kept, static_cast<size_t>(next - kept));
            kept = next;
        }
        line = next;
    }
}

// traceback([thread,] [message [, level]]), as Lua's.
int traceback(lua_State *L) {
    lua_State *thread = lua_tothread(L, 1);
    const int arg = thread != nullptr ? 1 : 0;
    if (thread == nullptr) thread = L;
    lua_settop(L, arg + 2);
    const bool has_message = !lua_isnil(L, arg + 1);
    if (has_message && !lua_isstring(L, arg + 1)) {
        lua_settop(L, arg + 1);
        return 1;
    }
    const lua_Integer level = luaL_optinteger(L, arg + 2, thread == L ? 1 : 0);
    luaL_traceback(L, thread, nullptr, static_cast<int>(level));
    const char *text = lua_tostring(L, -1);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    if (has_message) {
        lua_pushvalue(L, arg + 1);
        luaL_addvalue(&buffer);
        luaL_addchar(&buffer, '\n');
    }
    luaL_addlstring(&buffer, text, sizeof(kTitle) - 1);
    add_shown_lines(&buffer, text + sizeof(kTitle) - 1);
    luaL_pushresult(&buffer);
    return 1;
}

} // namespace

void raise_type_error(lua_State *L, int idx, const char *expected) {
    const char *actual;
    if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        actual = lua_tostring(L, -1);
    else if (lua_type(L, idx) == LUA_TLIGHTUSERDATA)
        actual = "light userdata";
    else
        actual = luaL_typename(L, idx);
    raise_argument_error(L, idx, lua_pushfstring(L, "%s expected, got %s", expected, actual));
}

void set_traceback_function(lua_State *L) {
    lua_pushcfunction(L, traceback);
    lua_setfield(L, -2, "traceback");
}

} // namespace pllua_bg::lua
