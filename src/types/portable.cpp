// Writing tables for another process. See portable.h for the contracts.
#include "types/portable.h"

#include "types/array.h"
#include "types/hooks.h"
#include "types/json.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "pg/guard.h"
#include "pg/open_type.h"

namespace pllua_bg::types {

namespace {

struct Writer {
    lua_State *L;
    TextBuffer out;
    bool elsewhere;
};

template <class T> void put(Writer *writer, const T &value) {
    buffer_add(&writer->out, reinterpret_cast<const char *>(&value), sizeof value);
}

void put_bytes(Writer *writer, const void *bytes, size_t size) {
    put<uint64>(writer, size);
    buffer_add(&writer->out, static_cast<const char *>(bytes), size);
}

void put_string(Writer *writer, int idx) {
    size_t length;
    const char *text = lua_tolstring(writer->L, idx, &length);
    put_bytes(writer, text, length);
}

void write_value(Writer *writer);

// Keys and values, up to a nil; the length in front.
void put_entries(Writer *writer, int idx) {
    lua_State *L = writer->L;
    put<int32>(writer, static_cast<int32>(Min(lua_rawlen(L, idx), PG_INT32_MAX)));
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pushvalue(L, -2);
        write_value(writer);
        write_value(writer);
    }
    put(writer, Tag::kNil);
}

void put_pairs(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const bool has_pairs = luaL_getmetafield(L, idx, "__pairs") != LUA_TNIL;
    put(writer, has_pairs);
    if (!has_pairs) return;
    collect_pairs(L, idx);
    put_entries(writer, lua_gettop(L));
    lua_pop(L, 1);
}

void put_sequence(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const bool has_length = luaL_getmetafield(L, idx, "__len") != LUA_TNIL;
    put(writer, has_length);
    if (!has_length) return;
    const lua_Integer length = luaL_len(L, idx);
    put<int64>(writer, length);
    for (lua_Integer i = 1; i <= length; i++) {
        lua_geti(L, idx, i);
        write_value(writer);
    }
    lua_pop(L, 1);
}

// For another database: the value would mean nothing there.
bool is_unknown_there(const Writer *writer, Oid type) {
    if (!writer->elsewhere) return false;
    bool known = true;
    pg::call_own_subxact(writer->L, [&] { known = pg::is_known_everywhere(type); });
    return !known;
}

bool has_unknown_column(const Writer *writer, TupleDesc row) {
    for (int i = 0; i < row->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(row, i);
        if (!column->attisdropped && is_unknown_there(writer, column->atttypid)) return true;
    }
    return false;
}

void write_table(Writer *writer, int idx);

// A row as a table of its fields.
void write_fields(Writer *writer, int idx, TupleDesc row) {
    lua_State *L = writer->L;
    lua_createtable(L, 0, row->natts);
    for (int i = 0; i < row->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(row, i);
        if (column->attisdropped) continue;
        lua_pushstring(L, NameStr(column->attname));
        push_column(L, idx, i);
        lua_rawset(L, -3);
    }
    write_table(writer, lua_gettop(L));
}

// A row of a type that nobody else sees as we do goes without it.
void write_row(Writer *writer, int idx) {
    lua_State *L = writer->L;
    const Shape *shape = push_shape_of_row(L, idx);
    if (has_unknown_column(writer, shape->descriptor))
        return write_fields(writer, idx, shape->descriptor);
    Oid type = shape->descriptor->tdtypeid;
    pg::call_own_subxact(L, [&] {
        const pg::OpenType open = pg::open_type(type);
        if (open.changed || (writer->elsewhere && !pg::is_known_everywhere(type)))
            type = InvalidOid;
    });
    put(writer, Tag::kRow);
    put<Oid>(writer, type);
    put<int32>(writer, shape->live);
    for (int i = 0; i < shape->descriptor->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(shape->descriptor, i);
        if (column->attisdropped) continue;
        put(writer, column->attname);
        put(writer, column->atttypid);
        put(writer, column->atttypmod);
        push_column(L, idx, i);
        write_value(writer);
    }
}

// Arrays are made of what the length and the indexes give, JSON of what pairs()
// gives, rows of the fields.
void write_table(Writer *writer, int idx) {
    if (is_row(writer->L, idx)) return write_row(writer, idx);
    put(writer, Tag::kTable);
    put(writer, json_mark(writer->L, idx));
    put_entries(writer, idx);
    put_pairs(writer, idx);
    put_sequence(writer, idx);
}

// What it is as a parameter by itself it is in a table, too (refuse_open_type() in
// src/session/shared/message.cpp).
pg::OpenType check_type(lua_State *L, Oid type) {
    pg::OpenType open = {};
    if (pg::is_local_type(type))
        lua::raise(L, "0A000", "a value of type %s cannot be sent to a background session",
                   push_type_name(L, type));
    if (type < FirstNormalObjectId) return open;
    pg::call_own_subxact(L, [&] { open = pg::open_type(type); });
    if (open.changed)
        lua::raise(L, "55000", "type %s is being changed by the open transaction",
                   push_type_name(L, type));
    return open;
}

void write_object(Writer *writer, int idx, DatumObject *object) {
    const Type *type = object->type;
    if (is_unknown_there(writer, type->oid)) {
        push_output(writer->L, type, object_value(writer->L, idx, object));
        put(writer, Tag::kString);
        return put_string(writer, -1);
    }
    const pg::OpenType open = check_type(writer->L, type->oid);
    const Datum value = object_value(writer->L, idx, object);
    if (open.rows) {
        push_output(writer->L, type, value);
        put(writer, Tag::kTyped);
        put<Oid>(writer, type->oid);
        return put_string(writer, -1);
    }
    put(writer, Tag::kObject);
    put<Oid>(writer, type->oid);
    if (type->by_value)
        put_bytes(writer, &value, sizeof value);
    else
        put_bytes(writer, DatumGetPointer(value), datum_size(type, value));
    if (value != object->value) free_value(type, value);
}

void write_other(Writer *writer, int idx) {
    lua_State *L = writer->L;
    DatumObject *object = object_at(L, idx);
    if (object != nullptr) return write_object(writer, idx, object);
    if (lua_islightuserdata(L, idx) && lua_touserdata(L, idx) == nullptr)
        return put(writer, Tag::kNull);
    if (hooks.push_cursor_name(L, idx)) {
        put(writer, Tag::kString);
        put_string(writer, -1);
        return lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, idx, "__pairs") != LUA_TNIL) {
        collect_pairs(L, idx);
        return write_table(writer, lua_gettop(L));
    }
    if (luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL) {
        luaL_tolstring(L, idx, nullptr);
        put(writer, Tag::kWritten);
        return put_string(writer, -1);
    }
    put(writer, Tag::kOther);
    put<int32>(writer, lua_type(L, idx));
}

void write_number(Writer *writer, int idx) {
    const bool whole = lua_isinteger(writer->L, idx);
    put(writer, whole ? Tag::kInteger : Tag::kFloat);
    if (whole)
        put<int64>(writer, lua_tointeger(writer->L, idx));
    else
        put<double>(writer, lua_tonumber(writer->L, idx));
}

// Writes the value on top and pops it.
void write_value(Writer *writer) {
    lua_State *L = writer->L;
    luaL_checkstack(L, 12, nullptr);
    lua::check_interrupt(L);
    lua::check_stack(L);
    const int idx = lua_gettop(L);
    switch (lua_type(L, idx)) {
    case LUA_TNIL: put(writer, Tag::kNil); break;
    case LUA_TBOOLEAN: put(writer, lua_toboolean(L, idx) ? Tag::kTrue : Tag::kFalse); break;
    case LUA_TNUMBER: write_number(writer, idx); break;
    case LUA_TSTRING:
        put(writer, Tag::kString);
        put_string(writer, idx);
        break;
    case LUA_TTABLE: write_table(writer, idx); break;
    default: write_other(writer, idx);
    }
    lua_settop(L, idx - 1);
}

} // namespace

Datum to_portable(lua_State *L, int idx, bool elsewhere) {
    idx = lua_absindex(L, idx);
    Writer writer = {L, {}, elsewhere};
    buffer_init(&writer.out, L);
    lua_pushvalue(L, idx);
    write_value(&writer);
    const size_t size = writer.out.length;
    if (size > MaxAllocSize - VARHDRSZ) lua::raise(L, "54000", "the table is too large");
    char *bytes = static_cast<char *>(allocate(L, VARHDRSZ + size));
    SET_VARSIZE(bytes, VARHDRSZ + size);
    memcpy(VARDATA(bytes), writer.out.data, size);
    lua_settop(L, writer.out.slot - 1);
    return PointerGetDatum(bytes);
}

} // namespace pllua_bg::types
