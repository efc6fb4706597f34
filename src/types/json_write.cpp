// JSON from Lua values: written as text into Lua memory, then parsed by the server in one call.
// Owns nothing.
#include "types/array.h"
#include "types/json.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "lua/state.h"
#include "pg/guard.h"

extern "C" {
#include "common/shortest_dec.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
}

#include <cmath>
#include <cstdio>

namespace pllua_bg::types {

namespace {

struct Writer {
    lua_State *L;
    const JsonOptions *options;
    TextBuffer out;
};

void write_value(Writer *writer);

void write_string(Writer *writer, const char *text, size_t length) {
    check_encoding(writer->L, text, length);
    TextBuffer *out = &writer->out;
    buffer_add(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        buffer_add(out, text + start, i - start);
        start = i + 1;
        char escape[8];
        if (byte < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", byte);
        else
            snprintf(escape, sizeof escape, "\\%c", byte);
        buffer_add(out, escape);
    }
    buffer_add(out, text + start, length - start);
    buffer_add(out, '"');
}

void write_number(Writer *writer, int idx) {
    char text[DOUBLE_SHORTEST_DECIMAL_LEN + 8];
    if (lua_isinteger(writer->L, idx)) {
        snprintf(text, sizeof text, LUA_INTEGER_FMT, lua_tointeger(writer->L, idx));
    } else {
        const double number = lua_tonumber(writer->L, idx);
        // As to_jsonb() has them.
        if (std::isnan(number)) return buffer_add(&writer->out, "\"NaN\"");
        if (std::isinf(number))
            return buffer_add(&writer->out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        text[double_to_shortest_decimal_bufn(number, text)] = '\0';
    }
    buffer_add(&writer->out, text);
}

// The JSON text of a datum as to_jsonb() gives it. Call inside pg::call. Errors: pg.
char *json_text(const Type *type, Datum value) {
    const Scratch scratch = enter_scratch();
    FmgrInfo function;
    fmgr_info(F_TO_JSONB, &function);
    Const *argument =
        makeConst(type->oid, -1, InvalidOid, type->length, value, false, type->by_value);
    FuncExpr *call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
                                  InvalidOid, COERCE_EXPLICIT_CALL);
    fmgr_info_set_expr(reinterpret_cast<Node *>(call), &function);
    Jsonb *result = DatumGetJsonbP(FunctionCall1(&function, value));
    char *text = JsonbToCString(nullptr, &result->root, VARSIZE(result));
    leave_scratch(scratch);
    text = pstrdup(text);
    end_scratch(scratch);
    return text;
}

void write_datum(Writer *writer, const Type *type, Datum value) {
    char *text = nullptr;
    pg::call_own_subxact(writer->L, [&] { text = json_text(type, value); });
    buffer_add(&writer->out, text);
    pfree(text);
}

void write_row(Writer *writer, int idx) {
    const Type *record = find(writer->L, RECORDOID, -1);
    bool isnull;
    const Datum value = to_datum(writer->L, idx, record, &isnull);
    write_datum(writer, record, value);
    pfree(DatumGetPointer(value));
}

// The key at idx as a string. Errors: lua (42804).
void write_key(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const int kind = lua_type(L, idx);
    const bool written =
        kind == LUA_TSTRING || kind == LUA_TNUMBER ||
        (luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL && (lua_pop(L, 1), true));
    if (!written)
        lua::raise(L, "42804", "cannot serialize scalar value of type %s as key",
                   lua_typename(L, kind));
    size_t length;
    const char *text = luaL_tolstring(L, idx, &length);
    write_string(writer, text, length);
    lua_pop(L, 1);
}

// Whether the keys seen make an array, and how long it is; -1 for an object.
lua_Integer array_length(lua_State *L, int idx, const JsonOptions &options, JsonMark mark) {
    lua_Integer lowest = LUA_MAXINTEGER, highest = 0, count = 0;
    bool sequence = true;
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1) {
            lowest = Min(lowest, lua_tointeger(L, -1));
            highest = Max(highest, lua_tointeger(L, -1));
            count++;
        } else {
            sequence = false;
        }
    }
    if (mark == JsonMark::kObject) return -1;
    if (mark == JsonMark::kArray) return highest;
    if (count == 0 && sequence) return options.empty_object ? -1 : 0;
    if (!sequence || lowest - 1 > options.array_threshold ||
        highest / options.array_fraction > count)
        return -1;
    return highest;
}

void write_table(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const lua_Integer length = array_length(L, idx, *writer->options, json_mark(L, idx));
    if (length >= 0) {
        buffer_add(&writer->out, '[');
        for (lua_Integer i = 1; i <= length; i++) {
            if (i > 1) buffer_add(&writer->out, ',');
            lua_rawgeti(L, idx, i);
            write_value(writer);
        }
        return buffer_add(&writer->out, ']');
    }
    bool first = true;
    buffer_add(&writer->out, '{');
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        if (!first) buffer_add(&writer->out, ',');
        first = false;
        write_key(writer, lua_gettop(L) - 1);
        buffer_add(&writer->out, ':');
        write_value(writer);
    }
    buffer_add(&writer->out, '}');
}

void write_collection(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const bool has_map = writer->options->map != 0 && !lua_isnil(L, writer->options->map);
    if (!has_map && is_row(L, idx)) return write_row(writer, idx);
    if (luaL_getmetafield(L, idx, "__pairs") == LUA_TNIL) return write_table(writer, idx);
    collect_pairs(L, idx);
    write_table(writer, lua_gettop(L));
    lua_pop(L, 1);
}

void write_other(Writer *writer, int idx) {
    lua_State *L = writer->L;
    DatumObject *object = object_at(L, idx);
    if (object != nullptr) {
        const Datum value = object_value(L, idx, object);
        write_datum(writer, object->type, value);
        if (value != object->value) free_value(object->type, value);
        return;
    }
    if (luaL_getmetafield(L, idx, "__pairs") != LUA_TNIL) {
        lua_pop(L, 1);
        return write_collection(writer, idx);
    }
    if (luaL_getmetafield(L, idx, "__tostring") == LUA_TNIL)
        lua::raise(L, "42804", "cannot serialize scalar value of type %s", luaL_typename(L, idx));
    size_t length;
    const char *text = luaL_tolstring(L, idx, &length);
    write_string(writer, text, length);
    lua_pop(L, 2);
}

bool is_null(lua_State *L, const JsonOptions &options) {
    if (lua_isnil(L, -1)) return true;
    if (lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == nullptr) return true;
    return options.null != 0 && !lua_isnil(L, options.null) && lua_rawequal(L, -1, options.null);
}

// Writes the value on top and pops it.
void write_value(Writer *writer) {
    lua_State *L = writer->L;
    lua::need_stack(L, 12);
    lua::check_interrupt(L);
    lua::check_stack(L);
    if (writer->options->map != 0 && !lua_isnil(L, writer->options->map)) {
        lua_pushvalue(L, writer->options->map);
        lua_insert(L, -2);
        lua_call(L, 1, 1);
    }
    const int idx = lua_gettop(L);
    size_t length;
    const char *text;
    if (is_null(L, *writer->options)) {
        buffer_add(&writer->out, "null");
    } else {
        switch (lua_type(L, idx)) {
        case LUA_TBOOLEAN:
            buffer_add(&writer->out, lua_toboolean(L, idx) ? "true" : "false");
            break;
        case LUA_TNUMBER: write_number(writer, idx); break;
        case LUA_TSTRING:
            text = lua_tolstring(L, idx, &length);
            write_string(writer, text, length);
            break;
        case LUA_TTABLE: write_collection(writer, idx); break;
        default: write_other(writer, idx);
        }
    }
    lua_settop(L, idx - 1);
}

} // namespace

void collect_pairs(lua_State *L, int idx) {
    lua_pushvalue(L, idx);
    lua_call(L, 1, 3);
    lua_newtable(L);
    lua_insert(L, -4); // table, function, state, control
    for (;;) {
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 2);
        if (lua_isnil(L, -2)) break;
        lua_pushvalue(L, -2);
        lua_replace(L, -4);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlightuserdata(L, nullptr);
        }
        lua_rawset(L, -6);
    }
    lua_pop(L, 5);
}

JsonOptions default_json_options() { return {0, 0, false, 1000, 1000}; }

JsonOptions read_json_options(lua_State *L, int idx) {
    JsonOptions options = default_json_options();
    luaL_checktype(L, idx, LUA_TTABLE);
    if (push_option(L, idx, "array_thresh")) {
        options.array_threshold = luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
    if (push_option(L, idx, "array_frac")) {
        options.array_fraction = Max(luaL_checkinteger(L, -1), 1);
        lua_pop(L, 1);
    }
    lua_getfield(L, idx, "empty_object");
    options.empty_object = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (lua_getfield(L, idx, "map") != LUA_TNIL) luaL_checktype(L, -1, LUA_TFUNCTION);
    options.map = lua_gettop(L);
    lua_getfield(L, idx, "null");
    options.null = lua_gettop(L);
    return options;
}

Datum json_of_value(lua_State *L, int idx, const JsonOptions &options, const Type *type) {
    const int top = lua_gettop(L);
    Writer writer = {L, &options, {}};
    buffer_init(&writer.out, L);
    lua_pushvalue(L, idx);
    write_value(&writer);
    buffer_add(&writer.out, '\0');
    Datum value = 0;
    const char *text = writer.out.data;
    if (writer.out.length > MaxAllocSize - VARHDRSZ)
        lua::raise(L, "54000", "JSON text is too large");
    pg::call_own_subxact(L, [&] { value = call_input(type, text); });
    lua_settop(L, top);
    return value;
}

} // namespace pllua_bg::types
