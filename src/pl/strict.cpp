// Strict mode. See strict.h for the contracts.
#include "pl/strict.h"

#include "lua/error.h"
#include "lua/globals.h"
#include "lua/sandbox.h"
#include "lua/stack.h"
#include "pg/guard.h"
#include "pg/server.h"
#include "pg/settings.h"

namespace pllua_bg::pl {

namespace {

constexpr char kHint[] = "Write \"local\" before it, or declare it as a field of \"self\".";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

const char *skip_blanks(const char *at) {
    while (is_blank(*at)) at++;
    return at;
}

// Whether the line at `at` says `-- strict` and nothing else.
bool says_strict(const char *at) {
    static constexpr char kWord[] = "strict";
    at = skip_blanks(at);
    if (strncmp(at, "--", 2) != 0) return false;
    at = skip_blanks(at + 2);
    if (strncmp(at, kWord, strlen(kWord)) != 0) return false;
    at = skip_blanks(at + strlen(kWord));
    return *at == '\n' || *at == '\0';
}

[[noreturn]] void raise_undeclared(lua_State *L) {
    lua::raise_hint(L, "42703", kHint, "global variable \"%s\" is not declared",
                    luaL_tolstring(L, 2, nullptr));
}

// Pushes the value of the key at 2 in the environment, upvalue 1.
void push_declared(lua_State *L) {
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) == LUA_TNIL) raise_undeclared(L);
}

int strict_index(lua_State *L) {
    push_declared(L);
    return 1;
}

int strict_newindex(lua_State *L) {
    push_declared(L);
    lua_pop(L, 1);
    lua_rawset(L, lua_upvalueindex(1));
    return 0;
}

int next_global(lua_State *L) {
    lua_settop(L, 2);
    return lua_next(L, 1) != 0 ? 2 : 0;
}

// The function's own, as pairs(self).
int strict_pairs(lua_State *L) {
    lua_pushcfunction(L, next_global);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushnil(L);
    return 3;
}

bool is_name(char c) { return isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Whether the text sets the field `name` of `self` somewhere.
bool declares(const char *text, const char *name) {
    static constexpr char kSelf[] = "self.";
    const size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, kSelf)) != nullptr;) {
        const bool is_word = at == text || !is_name(at[-1]);
        at += strlen(kSelf);
        if (!is_word || strncmp(at, name, length) != 0 || is_name(at[length])) continue;
        const char *after = skip_blanks(at + length);
        if (*after == ',' || (*after == '=' && after[1] != '=')) return true;
    }
    return false;
}

struct Uses {
    lua_State *L;
    int lines; // index of a table: the first line by name
};

void note_use(void *data, const char *name, int line) {
    const auto *uses = static_cast<const Uses *>(data);
    lua_State *L = uses->L;
    lua::need_stack(L, 2);
    if (lua_getfield(L, uses->lines, name) != LUA_TNUMBER || lua_tointeger(L, -1) > line) {
        lua_pushinteger(L, line);
        lua_setfield(L, uses->lines, name);
    }
    lua_pop(L, 1);
}

// Takes the first use out of the table on top, by line and name, and pushes its name; its line, or
// 0 when none is left and nothing pushed.
int take_first_use(lua_State *L) {
    lua_Integer first = 0;
    lua_pushnil(L); // its name
    const int table = lua_gettop(L) - 1;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        const lua_Integer line = lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (first != 0 && (line > first || (line == first && lua_compare(L, -2, -1, LUA_OPLT))))
            continue;
        first = line;
        lua_copy(L, -1, -2);
    }
    if (first == 0) {
        lua_pop(L, 1);
        return 0;
    }
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, table);
    return static_cast<int>(first);
}

} // namespace

bool is_strict(const char *text) {
    if (pg::setting_strict) return true;
    for (const char *line = text; line != nullptr; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (says_strict(line)) return true;
    }
    return false;
}

void push_strict_environment(lua_State *L) {
    const luaL_Reg methods[] = {{"__index", strict_index},
                                {"__newindex", strict_newindex},
                                {"__pairs", strict_pairs},
                                {nullptr, nullptr}};
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -3);
    luaL_setfuncs(L, methods, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void warn_of_globals(lua_State *L, const char *function, const char *text) {
    lua::need_stack(L, 10);
    lua_newtable(L);
    lua_insert(L, -2);
    Uses uses = {L, lua_gettop(L) - 1};
    lua::visit_globals(L, note_use, &uses);
    lua_insert(L, -2);
    while (const int line = take_first_use(L)) {
        const char *name = lua_tostring(L, -1);
        lua::push_user_globals(L);
        const bool is_known = lua_getfield(L, -1, name) != LUA_TNIL || declares(text, name);
        if (!is_known)
            pg::call<pg::Undo::kMessage>(L, [=] {
                ereport(WARNING, (errcode(ERRCODE_UNDEFINED_COLUMN),
                                  errmsg("%s:%d: global variable \"%s\" is not declared", function,
                                         line, name),
                                  errhint("%s", kHint)));
            });
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

} // namespace pllua_bg::pl
