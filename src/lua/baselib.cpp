// load, ipairs and utf8.len.
#include "lua/baselib.h"

#include <cstddef>

#include "lua/interrupt.h"
#include "lua/stack.h"
#include "lua/stock.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// What the parser gets at once.
constexpr size_t kPiece = size_t{1} << 14;
// Texts up to this size are counted in one go.
constexpr lua_Integer kStretch = lua_Integer{1} << 22;

constexpr int kPieceSlot = 5; // the stack index that holds the text being read

struct Source {
    const char *text;
    size_t left;
    bool is_function;  // ask the function at index 1 for more
    bool interrupting; // the interrupt hook runs; when it raises, load raises too
};

// Asks the reader function for its next text. False when there is none.
bool fetch(lua_State *L, Source *source) {
    need_stack(L, 2);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
    lua_replace(L, kPieceSlot);
    source->text = lua_tolstring(L, kPieceSlot, &source->left);
    return source->left > 0;
}

const char *read_piece(lua_State *L, void *data, size_t *size) {
    auto *source = static_cast<Source *>(data);
    source->interrupting = true;
    check_interrupt(L);
    source->interrupting = false;
    *size = 0;
    if (source->left == 0 && !(source->is_function && fetch(L, source))) return nullptr;
    const char *piece = source->text;
    *size = source->left < kPiece ? source->left : kPiece;
    source->text += *size;
    source->left -= *size;
    return piece;
}

// Upvalues: text only (boolean), the environment of chunks or nil.
int load(lua_State *L) {
    check_stack(L);
    Source source = {};
    bool text_only = lua_toboolean(L, lua_upvalueindex(1));
    int environment = lua_isnone(L, 4) ? 0 : 4;
    const char *mode = luaL_optstring(L, 3, "bt");
    const char *name;
    if (lua_isstring(L, 1)) {
        source.text = lua_tolstring(L, 1, &source.left);
        name = luaL_optstring(L, 2, source.text);
    } else {
        name = luaL_optstring(L, 2, "=(load)");
        luaL_checktype(L, 1, LUA_TFUNCTION);
        source.is_function = true;
    }
    if (text_only) mode = "t";
    lua_settop(L, kPieceSlot);
    if (environment == 0 && !lua_isnil(L, lua_upvalueindex(2))) environment = lua_upvalueindex(2);
    int status = lua_load(L, read_piece, &source, name, mode);
    if (status != LUA_OK) {
        if (source.interrupting) return lua_error(L);
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    if (environment != 0) {
        lua_pushvalue(L, environment);
        if (lua_setupvalue(L, -2, 1) == nullptr) lua_pop(L, 1);
    }
    return 1;
}

// Lua's own, upvalue 1, but a metamethod __ipairs says what is gone through, as in Lua 5.3.
int ipairs(lua_State *L) {
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__ipairs") == LUA_TNIL) lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    return 3;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Lua's own, on stretches that end where a character does.
int utf8_len(lua_State *L) {
    size_t size = 0;
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : nullptr;
    auto length = static_cast<lua_Integer>(size);
    if (text == nullptr || length <= kStretch) return run_guarded(L);
    lua_Integer i = luaL_optinteger(L, 2, 1);
    lua_Integer j = luaL_optinteger(L, 3, -1);
    if (i < 0) i = i < -length ? 0 : length + i + 1;
    if (j < 0) j = j < -length ? 0 : length + j + 1;
    if (i < 1 || j > length || j - i < kStretch) return run_guarded(L);
    bool lax = lua_toboolean(L, 4);
    lua_Integer count = 0;
    while (i <= j) {
        lua_Integer last = j - i > kStretch ? i + kStretch : j;
        // text[last] is the byte behind the stretch. More than a few continuations in a row are an
        // error that Lua's own finds.
        for (int back = 0; back < 8 && last < j && last > i && is_continuation(text[last]); back++)
            last--;
        check_interrupt(L);
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushvalue(L, 1);
        lua_pushinteger(L, i);
        lua_pushinteger(L, last);
        lua_pushboolean(L, lax);
        lua_call(L, 4, 2);
        if (lua_isnil(L, -2)) return 2;
        count += lua_tointeger(L, -2);
        lua_pop(L, 2);
        i = last + 1;
    }
    lua_pushinteger(L, count);
    return 1;
}

} // namespace

void set_load_function(lua_State *L, bool text_only, int environment) {
    lua_pushboolean(L, text_only);
    if (environment != 0)
        lua_pushvalue(L, environment > 0 ? environment : environment - 1);
    else
        lua_pushnil(L);
    lua_pushcclosure(L, load, 2);
    lua_setfield(L, -2, "load");
}

void set_ipairs_function(lua_State *L) {
    lua_getfield(L, -1, "ipairs");
    lua_pushcclosure(L, ipairs, 1);
    lua_setfield(L, -2, "ipairs");
}

int load_text(lua_State *L, const char *text, size_t size, const char *name) {
    Source source = {};
    source.text = text;
    source.left = size;
    return lua_load(L, read_piece, &source, name, "t");
}

void set_utf8_functions(lua_State *L) {
    static const luaL_Reg kGuards[] = {{"len", utf8_len}, {nullptr, nullptr}};
    set_guards(L, kGuards);
}

} // namespace pllua_bg::lua
