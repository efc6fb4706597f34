// Results of commands as Lua tables. See result.h for the contracts.
#include "api/lang/result.h"

#include "lua/fields.h"
#include "lua/interrupt.h"
#include "lua/stack.h"
#include "pg/guard.h"
#include "types/types.h"

namespace pllua_bg::api {

namespace {

// A result shape is a sequence of these.
constexpr int kRowShape = 1;
constexpr int kColumns = 2;
constexpr int kOnlyColumn = 3; // the name of the only column, else false

// More array slots than this are not reserved at once; a guess may be wrong.
constexpr uint64 kMaxReserved = 1 << 16;

// The names of the descriptor's types, each palloc'ed in `memory`; the array too.
const char **name_types(lua_State *L, TupleDesc descriptor, MemoryContext memory) {
    const char **names = nullptr;
    pg::call_own_subxact(L, [&] {
        MemoryContext previous = MemoryContextSwitchTo(memory);
        const int n = descriptor->natts;
        names = static_cast<const char **>(palloc(sizeof(char *) * static_cast<Size>(n)));
        for (int i = 0; i < n; i++) {
            Form_pg_attribute column = TupleDescAttr(descriptor, i);
            names[i] = format_type_extended(column->atttypid, column->atttypmod,
                                            FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_ALLOW_INVALID);
        }
        MemoryContextSwitchTo(previous);
    });
    return names;
}

void push_column(lua_State *L, Form_pg_attribute column, const char *type_name) {
    lua_createtable(L, 0, 4);
    lua::set_text(L, "name", NameStr(column->attname));
    lua::set_text(L, "type", type_name);
    lua::set_integer(L, "oid", column->atttypid);
    lua::set_integer(L, "typmod", column->atttypmod);
}

void set_field(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, table);
}

void finish_row(ResultBuilder *builder) {
    lua_rawseti(builder->L, builder->result, ++builder->n);
    lua::check_interrupt(builder->L);
}

// The single value of a result of one row and one column; absent when it is NULL.
void set_value(ResultBuilder *builder) {
    lua_State *L = builder->L;
    lua_rawgeti(L, builder->result, 1);
    lua_rawgeti(L, builder->result_shape, kOnlyColumn);
    if (lua_toboolean(L, -1) && lua_istable(L, -2)) {
        lua_rawget(L, -2);
        set_field(L, builder->result, "value");
        lua_pop(L, 1);
    } else {
        lua_pop(L, 2);
    }
}

} // namespace

void push_result_shape(lua_State *L, TupleDesc descriptor, const char *const *type_names) {
    lua::need_stack(L, 8);
    lua_createtable(L, 3, 0);
    types::push_shape(L, descriptor);
    lua_rawseti(L, -2, kRowShape);

    // The names live in a context of their own below the current one, which dies soon enough if Lua
    // runs out of memory here.
    MemoryContext memory = nullptr;
    const char *const *names = type_names;
    pg::call_own_subxact(L, [&] {
        memory =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg columns", ALLOCSET_SMALL_SIZES);
    });
    const char **own_names = name_types(L, descriptor, memory);
    lua_createtable(L, descriptor->natts, 0);
    int live = 0;
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        const char *name = names != nullptr && names[i] != nullptr ? names[i] : own_names[i];
        push_column(L, column, name);
        lua_rawseti(L, -2, ++live);
    }
    pg::call_no_subxact(L, [&] { MemoryContextDelete(memory); });
    lua_rawseti(L, -2, kColumns);
    if (descriptor->natts == 1)
        lua_pushstring(L, NameStr(TupleDescAttr(descriptor, 0)->attname));
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, -2, kOnlyColumn);
}

void push_row_shape(lua_State *L, int shape_idx) { lua_rawgeti(L, shape_idx, kRowShape); }

void begin_result(lua_State *L, ResultBuilder *builder, int shape_idx, uint64 expected) {
    lua::need_stack(L, 8);
    builder->L = L;
    builder->n = 0;
    builder->result_shape = lua_absindex(L, shape_idx);
    lua_createtable(L, static_cast<int>(Min(expected, kMaxReserved)), 4);
    builder->result = lua_gettop(L);
    push_row_shape(L, builder->result_shape);
    builder->row_shape = lua_gettop(L);
}

void add_row(ResultBuilder *builder, const Datum *values, const bool *nulls) {
    types::push_row(builder->L, builder->row_shape, values, nulls);
    finish_row(builder);
}

void add_minimal(ResultBuilder *builder, MinimalTuple tuple) {
    types::push_row_of_minimal(builder->L, builder->row_shape, tuple);
    finish_row(builder);
}

void finish_result(ResultBuilder *builder, const char *tag) {
    lua_State *L = builder->L;
    lua_settop(L, builder->result);
    lua_pushinteger(L, builder->n);
    set_field(L, builder->result, "n");
    if (tag != nullptr) {
        lua_pushstring(L, tag);
        set_field(L, builder->result, "tag");
    }
    lua_rawgeti(L, builder->result_shape, kColumns);
    set_field(L, builder->result, "columns");
    if (builder->n == 1) set_value(builder);
}

void push_command_result(lua_State *L, const char *tag, uint64 n) {
    lua::need_stack(L, 4);
    lua_createtable(L, 0, 2);
    const int result = lua_gettop(L);
    lua_pushinteger(L, static_cast<lua_Integer>(n));
    set_field(L, result, "n");
    if (tag != nullptr) {
        lua_pushstring(L, tag);
        set_field(L, result, "tag");
    }
}

} // namespace pllua_bg::api
