// Reading tables that another process has written. See portable.h for the contracts. The reader
// trusts the writer: both are processes of one server.
#include "types/portable.h"

#include "types/json.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "pg/compat_rows.h"
#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

struct Reader {
    lua_State *L;
    const char *at;
};

template <class T> T get(Reader *reader) {
    T value;
    memcpy(&value, reader->at, sizeof value);
    reader->at += sizeof value;
    return value;
}

const char *get_bytes(Reader *reader, size_t *size) {
    *size = get<uint64>(reader);
    const char *bytes = reader->at;
    reader->at += *size;
    return bytes;
}

void read_value(Reader *reader);

void read_entries(Reader *reader) {
    lua_State *L = reader->L;
    // With room for them, as many elements count as did before: there may be holes.
    lua_createtable(L, get<int32>(reader), 0);
    for (;;) {
        read_value(reader);
        if (lua_isnil(L, -1)) break;
        read_value(reader);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

int first_upvalue(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

// Gives the table on top a function that returns the value below it, which is removed.
void set_constant(lua_State *L, const char *name) {
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, first_upvalue, 1);
    lua_setfield(L, -2, name);
    lua_remove(L, -2);
}

int next_entry(lua_State *L) {
    lua_settop(L, 2);
    return lua_next(L, 1) != 0 ? 2 : 0;
}

// Upvalue: the table to be gone through.
int next_pairs(lua_State *L) {
    lua_pushcfunction(L, next_entry);
    lua_pushvalue(L, lua_upvalueindex(1));
    return 2;
}

// The metatable is on top.
void read_pairs(Reader *reader) {
    if (!get<bool>(reader)) return;
    read_entries(reader);
    lua_pushcclosure(reader->L, next_pairs, 1);
    lua_setfield(reader->L, -2, "__pairs");
}

void read_sequence(Reader *reader) {
    lua_State *L = reader->L;
    if (!get<bool>(reader)) return;
    const int64 length = get<int64>(reader);
    lua_pushinteger(L, length);
    lua_insert(L, -2);
    set_constant(L, "__len");
    lua_newtable(L);
    for (int64 i = 1; i <= length; i++) {
        read_value(reader);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "__index");
}

void read_table(Reader *reader) {
    lua_State *L = reader->L;
    const auto mark = get<JsonMark>(reader);
    read_entries(reader);
    set_json_mark(L, lua_gettop(L), mark);
    lua_newtable(L);
    read_pairs(reader);
    read_sequence(reader);
    lua_pushnil(L);
    if (lua_next(L, -2) == 0) return lua_pop(L, 1);
    lua_pop(L, 2);
    lua_setmetatable(L, -2);
}

void read_object(Reader *reader) {
    lua_State *L = reader->L;
    const Type *type = find(L, get<Oid>(reader), -1);
    size_t size;
    const char *bytes = get_bytes(reader, &size);
    Datum value;
    if (type->by_value) {
        memcpy(&value, bytes, sizeof value);
        return push_object(L, type, value);
    }
    // Bytes in the stream are not aligned.
    void *copy = lua_newuserdatauv(L, size, 0);
    memcpy(copy, bytes, size);
    push_object(L, type, PointerGetDatum(copy));
    lua_remove(L, -2);
}

void read_typed(Reader *reader) {
    lua_State *L = reader->L;
    const Type *type = find(L, get<Oid>(reader), -1);
    size_t size;
    const char *text = get_bytes(reader, &size);
    lua_pushlstring(L, text, size);
    const Datum value = input_from_lua(L, -1, type);
    push_object(L, type, value);
    lua_remove(L, -2);
    free_value(type, value);
}

// True when the type is a row type with these columns.
bool has_columns(Oid type, TupleDesc wanted) {
    if (get_typtype(type) != TYPTYPE_COMPOSITE) return false;
    TupleDesc columns = lookup_rowtype_tupdesc(type, -1);
    int live = 0;
    bool same = true;
    for (int i = 0; i < columns->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped) continue;
        const Form_pg_attribute other =
            live < wanted->natts ? TupleDescAttr(wanted, live) : nullptr;
        live++;
        same = same && other != nullptr && column->atttypid == other->atttypid &&
               column->atttypmod == other->atttypmod &&
               strcmp(NameStr(column->attname), NameStr(other->attname)) == 0;
    }
    ReleaseTupleDesc(columns);
    return same && live == wanted->natts;
}

// Pushes the shape of a row; the values are a userdata of the columns' types.
struct Column {
    NameData name;
    Oid type;
    int32 typmod;
};

void push_row_shape(lua_State *L, Oid type, const Column *columns, int count) {
    TupleDesc descriptor = nullptr;
    bool known = false;
    pg::call_own_subxact(L, [&] {
        descriptor = CreateTemplateTupleDesc(count);
        descriptor->tdtypeid = RECORDOID;
        descriptor->tdtypmod = -1;
        for (int i = 0; i < count; i++) {
            (void)lookup(columns[i].type, -1); // raises when there is no such type
            TupleDescInitEntry(descriptor, static_cast<AttrNumber>(i + 1), NameStr(columns[i].name),
                               columns[i].type, columns[i].typmod, 0);
        }
        pg::finish_descriptor(descriptor);
        known = has_columns(type, descriptor);
    });
    if (known)
        push_shape_of_type(L, type, -1);
    else
        push_shape(L, descriptor);
    FreeTupleDesc(descriptor);
}

void read_row(Reader *reader) {
    lua_State *L = reader->L;
    const Oid type = get<Oid>(reader);
    const int32 count = get<int32>(reader);
    auto *columns = static_cast<Column *>(
        lua_newuserdatauv(L, sizeof(Column) * static_cast<size_t>(count) + 1, 0));
    const int base = lua_gettop(L);
    lua_createtable(L, count, 0); // the values, by position
    for (int i = 0; i < count; i++) {
        columns[i].name = get<NameData>(reader);
        columns[i].type = get<Oid>(reader);
        columns[i].typmod = get<int32>(reader);
        read_value(reader);
        lua_rawseti(L, base + 1, i + 1);
    }
    push_row_shape(L, type, columns, count);
    const Shape *shape = push_shape_data(L, base + 2);
    lua_createtable(L, 0, count);
    for (int i = 0, live = 0; i < shape->descriptor->natts; i++) {
        if (shape->columns[i].type == nullptr) continue;
        lua_rawgeti(L, base + 1, ++live);
        set_column(L, -2, i);
    }
    finish_row(L, base + 2);
    lua_replace(L, base);
    lua_settop(L, base);
}

int do_nothing(lua_State *) { return 0; }

void read_written(Reader *reader) {
    lua_State *L = reader->L;
    size_t size;
    const char *text = get_bytes(reader, &size);
    lua_newuserdatauv(L, 0, 0);
    lua_pushlstring(L, text, size);
    lua_createtable(L, 0, 1);
    set_constant(L, "__tostring");
    lua_setmetatable(L, -2);
}

void read_other(Reader *reader) {
    lua_State *L = reader->L;
    switch (get<int32>(reader)) {
    case LUA_TFUNCTION: return lua_pushcfunction(L, do_nothing);
    case LUA_TTHREAD: lua_newthread(L); return;
    default: lua_newuserdatauv(L, 0, 0);
    }
}

// Pushes the next value.
void read_value(Reader *reader) {
    lua_State *L = reader->L;
    luaL_checkstack(L, 12, nullptr);
    lua::check_interrupt(L);
    lua::check_stack(L);
    size_t size;
    const char *bytes;
    switch (get<Tag>(reader)) {
    case Tag::kNil: return lua_pushnil(L);
    case Tag::kFalse: return lua_pushboolean(L, false);
    case Tag::kTrue: return lua_pushboolean(L, true);
    case Tag::kInteger: return lua_pushinteger(L, get<int64>(reader));
    case Tag::kFloat: return lua_pushnumber(L, get<double>(reader));
    case Tag::kString:
        bytes = get_bytes(reader, &size);
        lua_pushlstring(L, bytes, size);
        return;
    case Tag::kTable: return read_table(reader);
    case Tag::kRow: return read_row(reader);
    case Tag::kObject: return read_object(reader);
    case Tag::kTyped: return read_typed(reader);
    case Tag::kNull: return lua_pushlightuserdata(L, nullptr);
    case Tag::kWritten: return read_written(reader);
    case Tag::kOther: return read_other(reader);
    }
}

} // namespace

void push_portable(lua_State *L, Datum portable) {
    Reader reader = {L, VARDATA(DatumGetPointer(portable))};
    read_value(&reader);
}

} // namespace pllua_bg::types
