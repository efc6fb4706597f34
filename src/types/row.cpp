// What Lua code does with rows: row.x, row[3], pairs, #, tostring, row{map=}. Owns nothing.
#include "types/buffer.h"
#include "types/datum_object.h"
#include "types/shape.h"

#include "lua/error.h"

namespace pllua_bg::types {

namespace {

// Pushes the shape of the row at 1. Errors: lua.
Shape *check_row(lua_State *L) {
    Shape *shape = push_shape_of_row(L, 1);
    if (shape == nullptr) luaL_typeerror(L, 1, "row");
    return shape;
}

// The column (from 0) that the key at 2 names; the shape is on top. Errors: lua (42703).
int column_of_key(lua_State *L, const Shape *shape) {
    int whole;
    const lua_Integer number = lua_tointegerx(L, 2, &whole);
    if (lua_type(L, 2) == LUA_TNUMBER && whole) {
        const bool exists = number >= 1 && number <= shape->descriptor->natts &&
                            shape->columns[number - 1].type != nullptr;
        if (!exists) lua::raise(L, "42703", "column number %I does not exist", number);
        return static_cast<int>(number) - 1;
    }
    if (lua_type(L, 2) != LUA_TSTRING)
        lua::raise(L, "42703", "a row has no column of a name that is a %s", luaL_typename(L, 2));
    lua_getiuservalue(L, -1, 1);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TNIL)
        lua::raise(L, "42703", "column \"%s\" does not exist", lua_tostring(L, 2));
    const lua_Integer column = lua_tointeger(L, -1);
    lua_pop(L, 2);
    return static_cast<int>(column) - 1;
}

// The column (from 0) that the key at 2 names, of the row at 1, which the metamethod belongs to.
// Errors: lua.
int column_of_access(lua_State *L, const Shape *shape) {
    if (lua_type(L, 1) != LUA_TTABLE) luaL_typeerror(L, 1, "row");
    // Lua has every short string once.
    const void *key = lua_topointer(L, 2);
    for (int i = 0; i < shape->searched; i++)
        if (shape->columns[i].key == key && key != nullptr) return i;
    if (shape->descriptor == nullptr) lua::raise_finalized(L, "a row");
    lua_settop(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    const int column = column_of_key(L, shape);
    lua_pop(L, 1);
    return column;
}

const Shape *own_shape(lua_State *L) {
    return static_cast<const Shape *>(lua_touserdata(L, lua_upvalueindex(1)));
}

int index(lua_State *L) {
    push_column(L, 1, column_of_access(L, own_shape(L)));
    return 1;
}

// What a value of a column is converted to and shown as: a length modifier is left to whoever takes
// the row, as in an assignment to the table.
const Type *assigned_type(const Shape *shape, int column) {
    const Type *type = shape->columns[column].type;
    return type->kind == TypeKind::kModified ? type->inner : type;
}

// True for what the column would give back as it is.
bool is_converted(lua_State *L, int idx, const Type *type) {
    if (type->inner != type || type->transforms != nullptr) return false;
    if (type->family == &kTextFamily && lua_type(L, idx) == LUA_TSTRING) {
        size_t length;
        (void)checked_string(L, idx, &length);
        return true;
    }
    const DatumObject *object = object_at(L, idx);
    return object != nullptr && object->type == type && type->family->object_value == nullptr;
}

// Pushes the value at idx as a column of the type gives it back.
void push_converted(lua_State *L, int idx, const Type *type) {
    Datum value;
    if (is_plain(type) && take_plain(L, idx, type, &value))
        return push_plain(L, type, value, false);
    if (is_converted(L, idx, type)) return lua_pushvalue(L, idx);
    bool isnull;
    value = to_datum(L, idx, type, &isnull);
    push(L, type, value, isnull);
    if (!isnull) free_value(type, value);
}

int new_index(lua_State *L) {
    const Shape *shape = own_shape(L);
    const int column = column_of_access(L, shape);
    push_converted(L, 3, assigned_type(shape, column));
    set_column(L, 1, column);
    return 0;
}

int length(lua_State *L) {
    lua_pushinteger(L, check_row(L)->live);
    return 1;
}

// Upvalues: the shape, the number of columns already seen.
int next_column(lua_State *L) {
    const Shape *shape = static_cast<Shape *>(lua_touserdata(L, lua_upvalueindex(1)));
    if (shape->descriptor == nullptr) lua::raise_finalized(L, "a row");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer column = lua_tointeger(L, lua_upvalueindex(2));
    while (column < shape->descriptor->natts && shape->columns[column].type == nullptr) column++;
    if (column >= shape->descriptor->natts) return 0;
    lua_pushinteger(L, column + 1);
    lua_replace(L, lua_upvalueindex(2));
    lua_pushstring(L, NameStr(TupleDescAttr(shape->descriptor, column)->attname));
    push_column(L, 1, static_cast<int>(column));
    lua_pushinteger(L, column + 1);
    return 3;
}

int pairs(lua_State *L) {
    lua_settop(L, 1);
    check_row(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_column, 2);
    lua_pushvalue(L, 1);
    return 2;
}

// row(opts): a plain table of the mapped columns.
int call(lua_State *L) {
    lua_settop(L, 2);
    const Shape *shape = check_row(L);
    const bool discard = push_map_options(L, 2); // 4: map, 5: null
    const bool mapped = !lua_isnil(L, 4);
    lua_createtable(L, 0, shape->live);
    for (int i = 0; i < shape->descriptor->natts; i++) {
        if (shape->columns[i].type == nullptr) continue;
        lua_pushstring(L, NameStr(TupleDescAttr(shape->descriptor, i)->attname));
        push_column(L, 1, i);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushvalue(L, 5);
        }
        if (mapped) {
            lua_pushvalue(L, 4);
            lua_pushvalue(L, -3);
            lua_rotate(L, -3, 2);
            lua_pushinteger(L, i + 1);
            lua_pushvalue(L, 1);
            lua_call(L, 4, 1);
        }
        lua_rawset(L, 6);
    }
    return discard ? 0 : 1;
}

bool needs_quotes(const char *text) {
    if (*text == '\0') return true;
    for (; *text != '\0'; text++)
        if (strchr("\"\\(), \t\n\r\v\f", *text) != nullptr) return true;
    return false;
}

// As record_out() writes a column.
void add_column_text(TextBuffer *buffer, const char *text) {
    const bool quotes = needs_quotes(text);
    if (quotes) buffer_add(buffer, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') buffer_add(buffer, *text);
        buffer_add(buffer, *text);
    }
    if (quotes) buffer_add(buffer, '"');
}

// Pushes the text form of a column, nil when it is NULL; shape_idx is the userdata. Errors: lua.
void push_text(lua_State *L, int row_idx, int shape_idx, int column) {
    const auto *shape = static_cast<const Shape *>(lua_touserdata(L, shape_idx));
    const Type *type = assigned_type(shape, column);
    push_column(L, row_idx, column);
    bool isnull = lua_isnil(L, -1);
    if (isnull) return;
    const Datum value = to_datum(L, -1, type, &isnull);
    push_output(L, type, value);
    free_value(type, value);
    lua_remove(L, -2);
}

int to_string(lua_State *L) {
    lua_settop(L, 1);
    const Shape *shape = check_row(L);
    TextBuffer buffer;
    buffer_init(&buffer, L);
    buffer_add(&buffer, '(');
    bool first = true;
    for (int i = 0; i < shape->descriptor->natts; i++) {
        if (shape->columns[i].type == nullptr) continue;
        if (!first) buffer_add(&buffer, ',');
        first = false;
        push_text(L, 1, 2, i);
        if (!lua_isnil(L, -1)) add_column_text(&buffer, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    buffer_add(&buffer, ')');
    lua_pushlstring(L, buffer.data, buffer.length);
    return 1;
}

constexpr luaL_Reg kMetamethods[] = {
    {"__index", index}, {"__newindex", new_index}, {"__len", length},  {"__pairs", pairs},
    {"__call", call},   {"__tostring", to_string}, {nullptr, nullptr},
};

} // namespace

bool push_column_text(lua_State *L, int row_idx, int column) {
    row_idx = lua_absindex(L, row_idx);
    const Shape *shape = push_shape_of_row(L, row_idx);
    if (shape == nullptr) return false;
    int i = 0;
    while (i < shape->descriptor->natts && (shape->columns[i].type == nullptr || column-- > 0)) i++;
    if (i < shape->descriptor->natts)
        push_text(L, row_idx, lua_gettop(L), i);
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    return true;
}

void add_row_metamethods(lua_State *L) { luaL_setfuncs(L, kMetamethods, 1); }

} // namespace pllua_bg::types
