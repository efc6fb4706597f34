// Arrays from Lua tables, and from the arguments of a constructor. Owns nothing.
#include "types/array.h"
#include "types/cast.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "lua/state.h"
#include "pg/guard.h"

extern "C" {
#include "utils/array.h"
}

namespace pllua_bg::types {

namespace {

// An array in the making. `values` and `nulls` lie in a userdata on the stack.
struct Builder {
    const Type *element;
    ArrayState array;
    Datum *values;
    bool *nulls;
    int64 filled;
    bool padded; // missing elements are null; else every level must be complete
};

int low_bound(const Type *type) {
    return type->oid == INT2VECTOROID || type->oid == OIDVECTOROID ? 0 : 1;
}

[[noreturn]] void ragged(lua_State *L) {
    lua::raise(L, "2202E", "multidimensional arrays must have sub-arrays with matching dimensions");
}

bool is_plain_table(lua_State *L, int idx) {
    return lua_type(L, idx) == LUA_TTABLE && !is_row(L, idx);
}

void set_length(lua_State *L, Builder *builder, int dimension, lua_Integer length) {
    if (length < 0 || length > static_cast<lua_Integer>(MaxArraySize))
        lua::raise(L, "54000", "array size exceeds the maximum allowed (%d)",
                   static_cast<int>(MaxArraySize));
    builder->array.length[dimension] = static_cast<int>(length);
}

// Follows the first elements down to find the dimensions.
void measure(lua_State *L, int idx, Builder *builder) {
    lua_pushvalue(L, idx);
    for (;;) {
        const int dimension = builder->array.dimensions;
        if (dimension == MAXDIM)
            lua::raise(L, "54000", "number of array dimensions exceeds the maximum allowed (%d)",
                       MAXDIM);
        const lua_Integer length = highest_index(L, -1);
        set_length(L, builder, dimension, length);
        builder->array.dimensions++;
        if (length == 0 || takes_tables(builder->element)) break;
        lua_geti(L, -1, 1);
        lua_remove(L, -2);
        if (!is_plain_table(L, -1)) break;
    }
    lua_pop(L, 1);
}

void allocate_elements(lua_State *L, Builder *builder) {
    int64 count = 1;
    for (int i = 0; i < builder->array.dimensions; i++) {
        count *= builder->array.length[i];
        if (count > static_cast<int64>(MaxArraySize))
            lua::raise(L, "54000", "array size exceeds the maximum allowed (%d)",
                       static_cast<int>(MaxArraySize));
    }
    if (count == 0) builder->array.dimensions = 0;
    builder->values =
        static_cast<Datum *>(lua_newuserdatauv(L, count * (sizeof(Datum) + sizeof(bool)) + 1, 0));
    builder->nulls = reinterpret_cast<bool *>(builder->values + count);
}

// Converts the table on top, one level of it per call.
void fill(lua_State *L, Builder *builder, int dimension) {
    lua::need_stack(L, 4);
    const bool leaf = dimension + 1 == builder->array.dimensions;
    const int length = builder->array.length[dimension];
    const bool is_table = is_plain_table(L, -1);
    if (!is_table && !(builder->padded && lua_isnil(L, -1))) ragged(L);
    if (is_table && !builder->padded && dimension > 0 && highest_index(L, -1) != length) ragged(L);
    for (int i = 1; i <= length; i++) {
        lua::check_interrupt(L);
        if (is_table)
            lua_geti(L, -1, i);
        else
            lua_pushnil(L);
        if (leaf) {
            builder->values[builder->filled] =
                to_datum(L, -1, builder->element, &builder->nulls[builder->filled]);
            builder->filled++;
        } else {
            fill(L, builder, dimension + 1);
        }
        lua_pop(L, 1);
    }
}

// The array that the elements make, which are freed; null elements where nulls says so.
Datum construct(lua_State *L, Builder *builder) {
    ArrayState *array = &builder->array;
    const Type *element = builder->element;
    Datum result = 0;
    pg::call_own_subxact(L, [&] {
        ArrayType *made;
        if (array->dimensions == 0)
            made = construct_empty_array(element->oid);
        else
            made = construct_md_array(builder->values, builder->nulls, array->dimensions,
                                      array->length, array->low, element->oid, element->length,
                                      element->by_value, element->align);
        result = PointerGetDatum(made);
    });
    const int64 count = element->by_value ? 0 : element_count(array);
    for (int64 i = 0; i < count; i++)
        if (!builder->nulls[i]) free_value(element, builder->values[i]);
    return result;
}

// The same with the lowest subscripts that arrays of the type begin with.
Datum finish(lua_State *L, const Type *type, Builder *builder) {
    for (int i = 0; i < builder->array.dimensions; i++) builder->array.low[i] = low_bound(type);
    return construct(L, builder);
}

// The table at idx, whose dimensions are known.
Datum build_table(lua_State *L, int idx, const Type *type, Builder *builder) {
    allocate_elements(L, builder);
    if (builder->array.dimensions > 0) {
        lua_pushvalue(L, idx);
        fill(L, builder, 0);
        lua_pop(L, 1);
    }
    const Datum result = finish(L, type, builder);
    lua_pop(L, 1);
    return result;
}

Datum of_elements(lua_State *L, int first, int count, const Type *type) {
    Builder builder = {};
    builder.element = element_of(L, type);
    builder.array.dimensions = 1;
    builder.array.length[0] = count;
    allocate_elements(L, &builder);
    for (int i = 0; i < count; i++)
        builder.values[i] = to_datum(L, first + i, builder.element, &builder.nulls[i]);
    const Datum result = finish(L, type, &builder);
    lua_pop(L, 1);
    return result;
}

// A value that can only be an element is an array of it.
bool is_element(lua_State *L, int idx, const DatumObject *object, const Type *element) {
    while (element->inner != element) element = element->inner;
    const int kind = lua_type(L, idx);
    return kind == LUA_TNUMBER || kind == LUA_TBOOLEAN ||
           (object != nullptr && object->type->oid == element->oid);
}

bool all_integers(lua_State *L, int first, int count) {
    for (int i = 0; i < count; i++)
        if (!lua_isinteger(L, first + i)) return false;
    return true;
}

} // namespace

Datum convert_elements(lua_State *L, int idx, const Type *type, ArrayObject *object) {
    lua::need_stack(L, 8);
    idx = lua_absindex(L, idx);
    Builder builder = {};
    builder.element = element_of(L, type);
    // Elements that are rows can run code of users when they are converted, which may add others.
    builder.array = object->array;
    allocate_elements(L, &builder);
    push_elements(L, idx, object);
    const int64 count = element_count(&builder.array);
    for (int64 i = 0; i < count; i++) {
        lua::check_interrupt(L);
        lua_rawgeti(L, -1, i + 1);
        builder.values[i] = to_datum(L, -1, builder.element, &builder.nulls[i]);
        lua_pop(L, 1);
    }
    const Datum result = construct(L, &builder);
    lua_pop(L, 2);
    return result;
}

Datum array_from_lua(lua_State *L, int idx, const Type *type) {
    lua::check_stack(L);
    if (is_plain_table(L, idx)) {
        Builder builder = {};
        builder.element = element_of(L, type);
        measure(L, idx, &builder);
        return build_table(L, idx, type, &builder);
    }
    DatumObject *object = object_at(L, idx);
    if (object != nullptr && type->typmod >= 0 && object->type->oid == type->oid)
        return convert_elements(L, idx, type, static_cast<ArrayObject *>(object));
    if (is_element(L, idx, object, element_of(L, type))) return of_elements(L, idx, 1, type);
    return generic_from_lua(L, idx, type);
}

namespace {

// The tables are those of the first dimension.
Datum of_rows(lua_State *L, int first, int count, const Type *type) {
    push_list(L, first, count);
    const Datum value = array_from_lua(L, lua_gettop(L), type);
    lua_pop(L, 1);
    return value;
}

Datum of_arguments(lua_State *L, const Type *type, int first, int count) {
    const Type *element = element_of(L, type);
    if (count > 1 && is_plain_table(L, first) && all_integers(L, first + 1, count - 1)) {
        if (count - 1 > MAXDIM)
            lua::raise(L, "54000", "number of array dimensions exceeds the maximum allowed (%d)",
                       MAXDIM);
        Builder builder = {};
        builder.element = element;
        builder.padded = true;
        builder.array.dimensions = count - 1;
        for (int i = 0; i < count - 1; i++)
            set_length(L, &builder, i, lua_tointeger(L, first + 1 + i));
        return build_table(L, first, type, &builder);
    }
    if (count == 1) {
        const DatumObject *object = object_at(L, first);
        const bool whole = object != nullptr && object->type->family == &kArrayFamily;
        if (whole || is_plain_table(L, first)) return array_from_lua(L, first, type);
    }
    if (count > 1 && !element->family->takes_tables && is_plain_table(L, first))
        return of_rows(L, first, count, type);
    return of_elements(L, first, count, type);
}

} // namespace

bool construct_array(lua_State *L, const Type *type, int first, int count, Datum *value) {
    *value = of_arguments(L, type, first, count);
    return true;
}

} // namespace pllua_bg::types
