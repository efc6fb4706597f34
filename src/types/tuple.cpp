// Tuples from Lua tables. Owns nothing.
#include "types/shape.h"

#include "lua/state.h"
#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

// Columns of a row that is narrow enough to look for each key of a table among them.
constexpr int kWalked = 16;

// A tuple in the making.
struct Parts {
    TupleDesc descriptor;
    const Type *const *columns; // null: not known
    int table;                  // stack slot
    Datum *values;
    bool *nulls;
};

bool is_live(TupleDesc descriptor, int column) {
    return !TupleDescAttr(descriptor, column)->attisdropped;
}

// Converts the value at idx for a column.
void take_value(lua_State *L, Parts *parts, int column, int idx) {
    const Form_pg_attribute attribute = TupleDescAttr(parts->descriptor, column);
    const Type *type = parts->columns != nullptr
                           ? parts->columns[column]
                           : find(L, attribute->atttypid, attribute->atttypmod);
    parts->values[column] = to_datum(L, idx, type, &parts->nulls[column]);
}

// Converts the value on top for a column and pops it.
void take_column(lua_State *L, Parts *parts, int column) {
    take_value(L, parts, column, -1);
    lua_pop(L, 1);
}

void set_null(Parts *parts, int column) {
    parts->values[column] = 0;
    parts->nulls[column] = true;
}

bool same_columns(const Shape *shape, TupleDesc descriptor) {
    if (shape->descriptor->natts != descriptor->natts) return false;
    for (int i = 0; i < descriptor->natts; i++) {
        const Form_pg_attribute left = TupleDescAttr(shape->descriptor, i);
        const Form_pg_attribute right = TupleDescAttr(descriptor, i);
        if (left->attisdropped != right->attisdropped) return false;
        if (!left->attisdropped && strcmp(NameStr(left->attname), NameStr(right->attname)) != 0)
            return false;
    }
    return true;
}

// A row whose columns have the same names in the same places:
// by their keys, without a look at names.
void take_same_row(lua_State *L, Parts *parts) {
    for (int i = 0; i < parts->descriptor->natts; i++) {
        if (!is_live(parts->descriptor, i)) {
            set_null(parts, i);
            continue;
        }
        push_column(L, parts->table, i);
        take_column(L, parts, i);
    }
}

// The column of that name, looked for from `from` on, around; -1 when there is none.
int find_column(TupleDesc descriptor, const char *name, int from) {
    for (int i = 0; i < descriptor->natts; i++) {
        const int column = (from + i) % descriptor->natts;
        if (strcmp(NameStr(TupleDescAttr(descriptor, column)->attname), name) == 0 &&
            is_live(descriptor, column))
            return column;
    }
    return -1;
}

bool has_column(TupleDesc descriptor, const char *name) {
    return find_column(descriptor, name, 0) >= 0;
}

// Raises when a key of the table is no column's name. Errors: lua (42703).
void refuse_unknown(lua_State *L, const Parts &parts) {
    lua_pushnil(L);
    while (lua_next(L, parts.table) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING && has_column(parts.descriptor, lua_tostring(L, -1)))
            continue;
        lua::raise(L, "42703", "column \"%s\" does not exist", luaL_tolstring(L, -1, nullptr));
    }
}

int count_keys(lua_State *L, int table) {
    int count = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        count++;
        lua_pop(L, 1);
    }
    return count;
}

// A narrow table without a metatable: one walk finds the values, which are then converted in the
// order of the columns.
void take_by_walk(lua_State *L, Parts *parts) {
    const int natts = parts->descriptor->natts;
    const int base = lua_gettop(L) + 1;
    bool all_known = true;
    lua_settop(L, base + natts);
    for (int next = 0; lua_next(L, parts->table) != 0;) {
        const int column = lua_type(L, -2) == LUA_TSTRING
                               ? find_column(parts->descriptor, lua_tostring(L, -2), next)
                               : -1;
        if (column < 0) {
            all_known = false;
            lua_pop(L, 1);
        } else {
            next = column + 1;
            lua_replace(L, base + column);
        }
    }
    for (int i = 0; i < natts; i++) {
        if (is_live(parts->descriptor, i))
            take_value(L, parts, i, base + i);
        else
            set_null(parts, i);
    }
    if (!all_known) refuse_unknown(L, *parts);
    lua_settop(L, base - 1);
}

void take_by_name(lua_State *L, Parts *parts) {
    int found = 0;
    for (int i = 0; i < parts->descriptor->natts; i++) {
        if (!is_live(parts->descriptor, i)) {
            set_null(parts, i);
            continue;
        }
        if (lua_getfield(L, parts->table, NameStr(TupleDescAttr(parts->descriptor, i)->attname)) !=
            LUA_TNIL)
            found++;
        take_column(L, parts, i);
    }
    if (count_keys(L, parts->table) > found) refuse_unknown(L, *parts);
}

// A sequence: the first value for the first live column. Errors: lua (42703 when there are more
// values than columns).
void take_by_position(lua_State *L, Parts *parts) {
    lua_Integer position = 0;
    for (int i = 0; i < parts->descriptor->natts; i++) {
        if (!is_live(parts->descriptor, i)) {
            set_null(parts, i);
            continue;
        }
        lua_geti(L, parts->table, ++position);
        take_column(L, parts, i);
    }
    const lua_Integer given = static_cast<lua_Integer>(lua_rawlen(L, parts->table));
    if (given > position)
        lua::raise(L, "42703", "a row of %I columns cannot be made of %I values", position, given);
}

// Pushes the column of a row that has that name; nil when there is none.
void push_named(lua_State *L, int row, const Shape *shape, const char *name) {
    for (int i = 0; i < shape->descriptor->natts; i++) {
        const char *known = shape->columns[i].name;
        if (known != nullptr && strcmp(known, name) == 0) return push_column(L, row, i);
    }
    lua_pushnil(L);
}

// A row of another shape: unknown columns of it are an error, as for plain tables.
void take_other_row(lua_State *L, Parts *parts, const Shape *shape) {
    for (int i = 0; i < shape->descriptor->natts; i++) {
        const char *name = NameStr(TupleDescAttr(shape->descriptor, i)->attname);
        if (shape->columns[i].type != nullptr && !has_column(parts->descriptor, name))
            lua::raise(L, "42703", "column \"%s\" does not exist", name);
    }
    for (int i = 0; i < parts->descriptor->natts; i++) {
        const Form_pg_attribute attribute = TupleDescAttr(parts->descriptor, i);
        if (attribute->attisdropped) {
            set_null(parts, i);
            continue;
        }
        push_named(L, parts->table, shape, NameStr(attribute->attname));
        take_column(L, parts, i);
    }
}

void take_columns(lua_State *L, Parts *parts, bool by_position) {
    const Shape *shape = push_shape_of_row(L, parts->table);
    if (shape != nullptr) {
        if (same_columns(shape, parts->descriptor))
            take_same_row(L, parts);
        else
            take_other_row(L, parts, shape);
        lua_pop(L, 1);
    } else if (by_position && lua_rawlen(L, parts->table) > 0) {
        take_by_position(L, parts);
    } else if (parts->descriptor->natts <= kWalked && !lua_getmetatable(L, parts->table)) {
        take_by_walk(L, parts);
    } else {
        take_by_name(L, parts);
    }
}

} // namespace

bool take_row(lua_State *L, int idx, TupleDesc descriptor, const Type *const *columns,
              bool by_position, Datum *values, bool *nulls) {
    idx = lua_absindex(L, idx);
    if (lua_isnoneornil(L, idx)) return false;
    if (lua_type(L, idx) != LUA_TTABLE)
        lua::raise(L, "42804", "cannot convert a Lua %s to a row", luaL_typename(L, idx));
    lua::need_stack(L, kWalked + 12);
    lua::check_stack(L);
    Parts parts = {descriptor, columns, idx, values, nulls};
    const int top = lua_gettop(L);
    take_columns(L, &parts, by_position);
    lua_settop(L, top);
    return true;
}

HeapTuple to_tuple(lua_State *L, int idx, TupleDesc descriptor, bool by_position) {
    Datum values[MaxTupleAttributeNumber];
    bool nulls[MaxTupleAttributeNumber];
    if (!take_row(L, idx, descriptor, nullptr, by_position, values, nulls)) return nullptr;
    HeapTuple tuple = nullptr;
    pg::call_own_subxact(L, [&] { tuple = heap_form_tuple(descriptor, values, nulls); });
    for (int i = 0; i < descriptor->natts; i++)
        if (!nulls[i] && !TupleDescAttr(descriptor, i)->attbyval) pfree(DatumGetPointer(values[i]));
    return tuple;
}

} // namespace pllua_bg::types
