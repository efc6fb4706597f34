// Small helpers of all families; helpers.h has the contracts. Owns nothing.
#include "types/helpers.h"

#include "lua/interrupt.h"
#include "pg/guard.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/datum.h"
}

namespace pllua_bg::types {

void *allocate(lua_State *L, Size size) {
    if (!AllocSizeIsValid(size))
        lua::raise(L, "54000", "value of %I bytes is too large", (lua_Integer)size);
    void *memory = palloc_extended(size, MCXT_ALLOC_NO_OOM);
    if (memory == nullptr) lua::raise(L, "53200", "out of memory");
    return memory;
}

void check_encoding(lua_State *L, const char *text, size_t length) {
    if (length > MaxAllocSize)
        lua::raise(L, "54000", "string of %I bytes is too large", (lua_Integer)length);
    const int encoding = GetDatabaseEncoding();
    if (pg_verify_mbstr(encoding, text, static_cast<int>(length), true)) return;
    // The server would raise what lpcall does not catch: its words, and our error.
    const int valid = pg_encoding_verifymbstr(encoding, text, static_cast<int>(length));
    const int left = static_cast<int>(length) - valid;
    char bytes[64] = "";
    for (int i = 0; i < Min(Min(pg_encoding_mblen(encoding, text + valid), left), 8); i++)
        snprintf(bytes + 5 * i, 6, " 0x%02x", static_cast<unsigned char>(text[valid + i]));
    lua::raise(L, "22021", "invalid byte sequence for encoding \"%s\":%s",
               pg_encoding_to_char(encoding), bytes);
}

const char *checked_string(lua_State *L, int idx, size_t *length) {
    const char *text = luaL_checklstring(L, idx, length);
    check_encoding(L, text, *length);
    return text;
}

const char *push_type_name(lua_State *L, Oid oid) {
    char *name = nullptr;
    pg::call_own_subxact(L,
                         [&] { name = format_type_extended(oid, -1, FORMAT_TYPE_ALLOW_INVALID); });
    lua_pushstring(L, name);
    pfree(name);
    return lua_tostring(L, -1);
}

void mismatch(lua_State *L, int idx, const Type *type) {
    const char *name = push_type_name(L, type->oid);
    lua::raise(L, "42804", "cannot convert a Lua %s to type %s", luaL_typename(L, idx), name);
}

void out_of_range(lua_State *L, const char *what) {
    lua::raise(L, "22003", "%s out of range", what);
}

Datum input_from_lua(lua_State *L, int idx, const Type *type) {
    size_t length;
    const char *text = checked_string(L, idx, &length);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = call_input(type, text); });
    return value;
}

void wrong_argument_count(lua_State *L, int expected, int given) {
    lua::raise(L, "42601",
               "incorrect number of arguments for type constructor (expected %d got %d)", expected,
               given);
}

Scratch enter_scratch() {
    Scratch scratch;
    scratch.context =
        AllocSetContextCreate(CurTransactionContext, "pllua_bg conversion", ALLOCSET_DEFAULT_SIZES);
    scratch.outer = MemoryContextSwitchTo(scratch.context);
    return scratch;
}

bool is_tidy(const Type *type) { return type->by_value || type->family->tidy; }

Datum call_input(const Type *type, const char *text) {
    FmgrInfo *input = const_cast<FmgrInfo *>(&type->input);
    char *source = const_cast<char *>(text);
    if (is_tidy(type) && !is_domain(type))
        return InputFunctionCall(input, source, type->io_param, type->typmod);
    const Scratch scratch = enter_scratch();
    FmgrInfo fresh;
    if (type->oid >= FirstNormalObjectId) {
        // The function would keep the constraints of domains in the type,
        // checked for who was the user then.
        fmgr_info(input->fn_oid, &fresh);
        input = &fresh;
    }
    Datum value = InputFunctionCall(input, source, type->io_param, type->typmod);
    leave_scratch(scratch);
    value = datumCopy(value, type->by_value, type->length);
    end_scratch(scratch);
    return value;
}

namespace {

// Call inside pg::call. Errors: pg.
char *call_output(const Type *type, Datum value) {
    FmgrInfo *output = const_cast<FmgrInfo *>(&type->output);
    if (is_tidy(type)) return OutputFunctionCall(output, value);
    const Scratch scratch = enter_scratch();
    char *text = OutputFunctionCall(output, value);
    leave_scratch(scratch);
    text = pstrdup(text);
    end_scratch(scratch);
    return text;
}

} // namespace

void push_output(lua_State *L, const Type *type, Datum value) {
    char *text = nullptr;
    pg::call_own_subxact(L, [&] { text = call_output(type, value); });
    lua_pushstring(L, text);
    pfree(text);
}

bool push_map_options(lua_State *L, int idx) {
    switch (lua_type(L, idx)) {
    case LUA_TNONE:
    case LUA_TNIL:
        lua_pushnil(L);
        lua_pushnil(L);
        return false;
    case LUA_TFUNCTION:
        lua_pushvalue(L, idx);
        lua_pushnil(L);
        return false;
    case LUA_TTABLE: break;
    default:
        lua_pushnil(L);
        lua_pushvalue(L, idx);
        return false;
    }
    // As in pllua, a map that is no function is none.
    if (lua_getfield(L, idx, "map") != LUA_TFUNCTION) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    lua_getfield(L, idx, "null");
    lua_getfield(L, idx, "discard");
    const bool discard = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return discard;
}

void push_list(lua_State *L, int first, int count) {
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
}

lua_Integer highest_index(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    if (luaL_getmetafield(L, idx, "__len") != LUA_TNIL) {
        lua_pop(L, 1);
        return luaL_len(L, idx);
    }
    lua_Integer highest = 0;
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua::check_interrupt(L);
        if (lua_isinteger(L, -2)) highest = Max(highest, lua_tointeger(L, -2));
        lua_pop(L, 1);
    }
    return highest;
}

} // namespace pllua_bg::types
