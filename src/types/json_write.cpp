// JSON from Lua values: the walk through them, whose parts go to a sink (json_sink.h).
// Owns nothing.
#include "types/array.h"
#include "types/json.h"
#include "types/json_sink.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "lua/state.h"

namespace pllua_bg::types {

namespace {

struct Writer {
    lua_State *L;
    const JsonOptions *options;
    JsonSink sink;
};

void write_value(Writer *writer);

void write_row(Writer *writer, int idx) {
    const Type *record = find(writer->L, RECORDOID, -1);
    bool isnull;
    const Datum value = to_datum(writer->L, idx, record, &isnull);
    sink_datum(&writer->sink, record, value);
    pfree(DatumGetPointer(value));
}

// The key at idx as a string. Errors: lua (42804).
void write_key(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const int kind = lua_type(L, idx);
    size_t length;
    if (kind == LUA_TSTRING) {
        const char *key = lua_tolstring(L, idx, &length);
        return sink_key(&writer->sink, key, length);
    }
    const bool written =
        kind == LUA_TNUMBER ||
        (luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL && (lua_pop(L, 1), true));
    if (!written)
        lua::raise(L, "42804", "cannot serialize scalar value of type %s as key",
                   lua_typename(L, kind));
    const char *text = luaL_tolstring(L, idx, &length);
    sink_key(&writer->sink, text, length);
    lua_pop(L, 1);
}

// Whether the keys seen make an array, and how long it is; -1 for an object.
lua_Integer array_length(lua_State *L, int idx, const JsonOptions &options, JsonMark mark) {
    if (mark == JsonMark::kObject) return -1;
    lua_Integer lowest = LUA_MAXINTEGER, highest = 0, count = 0;
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pop(L, 1);
        const lua_Integer key = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (key >= 1) {
            lowest = Min(lowest, key);
            highest = Max(highest, key);
            count++;
        } else if (mark == JsonMark::kNone) {
            lua_pop(L, 1);
            return -1;
        }
    }
    if (mark == JsonMark::kArray) return highest;
    if (count == 0) return options.empty_object ? -1 : 0;
    // highest > array_fraction * count, which need not fit
    const lua_Integer fraction = options.array_fraction;
    if (lowest > options.array_threshold || highest / fraction > count ||
        (highest / fraction == count && highest % fraction != 0))
        return -1;
    return highest;
}

void write_table(Writer *writer, int idx, JsonMark mark) {
    lua_State *L = writer->L;
    const lua_Integer length = array_length(L, idx, *writer->options, mark);
    if (length >= 0) {
        sink_mark(&writer->sink, '[');
        for (lua_Integer i = 1; i <= length; i++) {
            if (i > 1) sink_mark(&writer->sink, ',');
            lua_rawgeti(L, idx, i);
            write_value(writer);
        }
        return sink_mark(&writer->sink, ']');
    }
    bool first = true;
    sink_mark(&writer->sink, '{');
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        if (!first) sink_mark(&writer->sink, ',');
        first = false;
        write_key(writer, lua_gettop(L) - 1);
        sink_mark(&writer->sink, ':');
        write_value(writer);
    }
    sink_mark(&writer->sink, '}');
}

void write_collection(Writer *writer, int idx) {
    lua_State *L = writer->L;
    if (!lua_getmetatable(L, idx)) return write_table(writer, idx, JsonMark::kNone);
    lua_pop(L, 1);
    const bool has_map = writer->options->map != 0 && !lua_isnil(L, writer->options->map);
    if (!has_map && is_row(L, idx)) return write_row(writer, idx);
    if (luaL_getmetafield(L, idx, "__pairs") == LUA_TNIL)
        return write_table(writer, idx, json_mark(L, idx));
    collect_pairs(L, idx);
    write_table(writer, lua_gettop(L), JsonMark::kNone);
    lua_pop(L, 1);
}

void write_other(Writer *writer, int idx) {
    lua_State *L = writer->L;
    DatumObject *object = object_at(L, idx);
    if (object != nullptr) {
        const Datum value = object_value(L, idx, object);
        sink_datum(&writer->sink, object->type, value);
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
    sink_string(&writer->sink, text, length);
    lua_pop(L, 2);
}

bool is_null(lua_State *L, const JsonOptions &options) {
    const int kind = lua_type(L, -1);
    if (kind == LUA_TNIL) return true;
    if (kind == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == nullptr) return true;
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
        sink_null(&writer->sink);
    } else {
        switch (lua_type(L, idx)) {
        case LUA_TBOOLEAN: sink_boolean(&writer->sink, lua_toboolean(L, idx)); break;
        case LUA_TNUMBER:
            if (lua_isinteger(L, idx))
                sink_integer(&writer->sink, lua_tointeger(L, idx));
            else
                sink_float(&writer->sink, lua_tonumber(L, idx));
            break;
        case LUA_TSTRING:
            text = lua_tolstring(L, idx, &length);
            sink_string(&writer->sink, text, length);
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

namespace {

void require_option(lua_State *L, const char *name, bool valid, const char *wanted) {
    if (!valid)
        lua::raise(L, "22023", "option %s of JSON must be %s, not a %s", name, wanted,
                   luaL_typename(L, -1));
}

lua_Integer count_option(lua_State *L, int idx, const char *name, lua_Integer absent) {
    if (!push_option(L, idx, name)) return absent;
    int whole;
    const lua_Integer count = lua_tointegerx(L, -1, &whole);
    require_option(L, name, whole, "a whole number");
    lua_pop(L, 1);
    return count;
}

} // namespace

JsonOptions read_json_options(lua_State *L, int idx) {
    JsonOptions options = default_json_options();
    luaL_checktype(L, idx, LUA_TTABLE);
    options.array_threshold = count_option(L, idx, "array_thresh", options.array_threshold);
    options.array_fraction = Max(count_option(L, idx, "array_frac", options.array_fraction), 1);
    lua_getfield(L, idx, "empty_object");
    options.empty_object = lua_toboolean(L, -1);
    lua_pop(L, 1);
    const int map = lua_getfield(L, idx, "map");
    require_option(L, "map", map == LUA_TNIL || map == LUA_TFUNCTION, "a function");
    options.map = lua_gettop(L);
    lua_getfield(L, idx, "null");
    options.null = lua_gettop(L);
    return options;
}

Datum json_of_value(lua_State *L, int idx, const JsonOptions &options, const Type *type) {
    const int top = lua_gettop(L);
    Writer writer = {L, &options, {}};
    sink_init(&writer.sink, L, type);
    lua_pushvalue(L, idx);
    write_value(&writer);
    const Datum value = sink_finish(&writer.sink);
    lua_settop(L, top);
    return value;
}

} // namespace pllua_bg::types
