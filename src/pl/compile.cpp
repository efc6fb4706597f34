// From the text of a function to a Lua function. See compile.h for the contracts.
#include "pl/compile.h"

extern "C" {
#include "lib/stringinfo.h"
}

#include "lua/baselib.h"
#include "lua/error.h"
#include "lua/loader.h"
#include "lua/sandbox.h"
#include "pg/encoding.h"
#include "pl/strict.h"

namespace pllua_bg::pl {

namespace {

// Registry key of the metatable that all environments share.
char environment_key;

constexpr char kCompatModule[] = "pllua.compat";

const char *const kKeywords[] = {"and",   "break", "do",       "else",  "elseif", "end",
                                 "false", "for",   "function", "goto",  "if",     "in",
                                 "local", "nil",   "not",      "or",    "repeat", "return",
                                 "then",  "true",  "until",    "while", "_ENV"};

// The loader of pllua.compat, which sees what code of users sees.
int load_compat(lua_State *L) {
    (void)lua::load_embedded(L, kCompatModule);
    lua::push_user_globals(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_call(L, 2, 0);
    return 0;
}

// A function whose name cannot be written still needs one, that its text is unlikely to use.
constexpr char kNoName[] = "this_function_";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The line number in Lua's message "name:line: ..."; 0 when there is none.
int line_of_message(const char *message, const char *name) {
    const size_t length = strlen(name);
    if (strncmp(message, name, length) != 0 || message[length] != ':') return 0;
    return atoi(message + length + 1);
}

bool is_newline(char c) { return c == '\n' || c == '\r'; }

// The position, in characters from 1, of the first thing in a line of the text, or of the last one
// before it. A newline cannot be pointed at. Counts lines as Lua does. Errors: none: the text need
// not be valid.
int position_of_line(const char *text, int wanted) {
    const char *end = text + strlen(text);
    int line = 1, position = 1, found = 1;
    for (const char *at = text; at < end; position++) {
        if (is_newline(*at)) {
            if (++line > wanted) break;
            const bool is_pair = is_newline(at[1]) && at[1] != at[0];
            if (is_pair) position++;
            at += is_pair ? 2 : 1;
            continue;
        }
        if (*at != ' ' && *at != '\t') {
            found = position;
            if (line == wanted) break;
        }
        at += pg::character_length(at, static_cast<Size>(end - at));
    }
    return found;
}

[[noreturn]] void raise_syntax_error(lua_State *L, const char *text, const char *name) {
    const char *message = lua_tostring(L, -1);
    lua::ErrorFields fields = {};
    fields.sqlstate = "42601";
    fields.message = message;
    const int line = line_of_message(message, name);
    if (line > 0) {
        fields.internal_query = text;
        fields.internal_position = position_of_line(text, line);
    }
    lua::raise_fields(L, fields);
}

// Lua cuts longer names in messages, at any byte; so they are cut here, at a character.
void load_chunk(lua_State *L, const char *chunk, const char *text, const char *name) {
    char shown[LUA_IDSIZE];
    pg::copy_clipped(shown, name, LUA_IDSIZE);
    const char *chunk_name = lua_pushfstring(L, "=%s", shown);
    const int status = lua::load_text(L, chunk, strlen(chunk), chunk_name);
    if (status == LUA_ERRSYNTAX) raise_syntax_error(L, text, shown);
    if (status != LUA_OK) lua_error(L);
    lua_remove(L, -2);
}

} // namespace

bool is_identifier(const char *name) {
    if (!is_letter(name[0])) return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!is_letter(*c) && (*c < '0' || *c > '9')) return false;
    for (const char *keyword : kKeywords)
        if (strcmp(name, keyword) == 0) return false;
    return true;
}

void prepare_environments(lua_State *L) {
    lua_createtable(L, 0, 1);
    lua::push_user_globals(L);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_pushcfunction(L, load_compat);
    lua::set_preload(L, kCompatModule);
}

void load_text(lua_State *L, const char *text, const char *name) {
    load_chunk(L, text, text, name);
}

void load_source(lua_State *L, const char *chunk, const Source &source) {
    load_chunk(L, chunk, source.text, source.name);
}

void push_environment(lua_State *L, bool strict) {
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_setmetatable(L, -2);
    if (strict)
        push_strict_environment(L);
    else
        lua_pushvalue(L, -1);
    lua_setupvalue(L, -3, 1);
}

char *generate_chunk(const Source &source) {
    const char *name = is_identifier(source.name) ? source.name : kNoName;
    StringInfoData chunk;
    initStringInfo(&chunk);
    appendStringInfo(&chunk, "local self = ... local function %s(", name);
    for (int i = 0; i < source.nparameters; i++)
        appendStringInfo(&chunk, "%s%s", i == 0 ? "" : ", ", source.parameters[i]);
    if (source.vararg) appendStringInfoString(&chunk, source.nparameters == 0 ? "..." : ", ...");
    appendStringInfo(&chunk, ") %s\nend return %s", source.text, name);
    return chunk.data;
}

} // namespace pllua_bg::pl
