// Types whose Lua value is a string: text and its kin, names, C strings,
// "char", bytea. Owns nothing.
#include "types/cast.h"
#include "types/helpers.h"

#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

// A varlena of `length` bytes of text. Errors: lua (memory).
Datum make_varlena(lua_State *L, const char *text, size_t length) {
    if (length > MaxAllocSize - VARHDRSZ)
        lua::raise(L, "54000", "string of %I bytes is too large", (lua_Integer)length);
    char *copy = static_cast<char *>(allocate(L, VARHDRSZ + length));
    SET_VARSIZE(copy, VARHDRSZ + length);
    memcpy(VARDATA(copy), text, length);
    return PointerGetDatum(copy);
}

// True for strings and for numbers, which become text as Lua writes them.
bool is_textual(lua_State *L, int idx) {
    const int kind = lua_type(L, idx);
    return kind == LUA_TSTRING || kind == LUA_TNUMBER;
}

Datum bytea_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TSTRING) return generic_from_lua(L, idx, type);
    size_t length;
    const char *bytes = lua_tolstring(L, idx, &length);
    return make_varlena(L, bytes, length);
}

void cstring_to_lua(lua_State *L, const Type *, Datum value) {
    lua_pushstring(L, DatumGetCString(value));
}

Datum cstring_from_lua(lua_State *L, int idx, const Type *type) {
    if (!is_textual(L, idx)) return generic_from_lua(L, idx, type);
    lua_pushvalue(L, idx);
    size_t length;
    const char *text = checked_string(L, -1, &length);
    char *copy = static_cast<char *>(allocate(L, length + 1));
    memcpy(copy, text, length + 1);
    lua_pop(L, 1);
    return CStringGetDatum(copy);
}

void char_to_lua(lua_State *L, const Type *type, Datum value) {
    const char byte = DatumGetChar(value);
    if (IS_HIGHBIT_SET(byte))
        push_output(L, type, value);
    else
        lua_pushlstring(L, &byte, byte == '\0' ? 0 : 1);
}

} // namespace

void text_to_lua(lua_State *L, const Type *, Datum value) {
    struct varlena *raw = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    if (!VARATT_IS_EXTERNAL(raw) && !VARATT_IS_COMPRESSED(raw)) [[likely]] {
        lua_pushlstring(L, VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw));
        return;
    }
    struct varlena *plain = nullptr;
    pg::call_own_subxact(L, [&] { plain = pg_detoast_datum_packed(raw); });
    lua_pushlstring(L, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
    pfree(plain);
}

Datum text_from_lua(lua_State *L, int idx, const Type *type) {
    if (!is_textual(L, idx)) return generic_from_lua(L, idx, type);
    lua_pushvalue(L, idx); // conversion in place would change the caller's number
    size_t length;
    const char *text = checked_string(L, -1, &length);
    const Datum value = make_varlena(L, text, length);
    lua_pop(L, 1);
    return value;
}

const Family kTextFamily = {
    .to_lua = text_to_lua, .from_lua = text_from_lua, .is_text = true, .tidy = true};
const Family kByteaFamily = {
    .to_lua = text_to_lua, .from_lua = bytea_from_lua, .is_text = true, .tidy = true};
const Family kXmlFamily = {.to_lua = text_to_lua, .from_lua = generic_from_lua, .is_text = true};
const Family kNameFamily = {
    .to_lua = cstring_to_lua, .from_lua = generic_from_lua, .is_text = true, .tidy = true};
const Family kCstringFamily = {
    .to_lua = cstring_to_lua, .from_lua = cstring_from_lua, .is_text = true, .tidy = true};
const Family kCharFamily = {
    .to_lua = char_to_lua, .from_lua = generic_from_lua, .is_text = true, .tidy = true};

} // namespace pllua_bg::types
