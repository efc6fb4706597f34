// Array objects: a[i], a[i][j], #a, pairs(a), assignment. Owns the table of elements of each object
// that was looked into.
#include "types/array.h"

#include "lua/interrupt.h"
#include "lua/state.h"
#include "lua/userdata.h"

extern "C" {
#include "access/tupmacs.h"
#include "utils/array.h"
}

namespace pllua_bg::types {

namespace {

// a[i] of an array of more dimensions: a place in its parent, the first user value.
struct Slice {
    int depth;
    int subscripts[MAXDIM];
};

constexpr char kSliceType[] = "array slice";

ArrayObject *check_array(lua_State *L, int idx) {
    return static_cast<ArrayObject *>(check_object(L, idx, kArrayFamily));
}

ArrayType *bytes_of(const ArrayObject *object) {
    return reinterpret_cast<ArrayType *>(DatumGetPointer(object->value));
}

int high(const ArrayState *array, int dimension) {
    return array->low[dimension] + array->length[dimension] - 1;
}

// Pushes the element at a position; nil when it is null.
void push_element(lua_State *L, int idx, ArrayObject *object, int64 position) {
    const Type *element = element_of(L, object->type);
    if (element->by_value && !object->array.has_nulls && !object->array.deformed) {
        // Elements of equal length lie side by side; by-value types are as
        // long as they are aligned.
        const char *address = ARR_DATA_PTR(bytes_of(object)) + position * element->length;
        element->to_lua(L, element, fetch_att(address, true, element->length));
        return;
    }
    push_elements(L, idx, object);
    lua_rawgeti(L, -1, position + 1);
    lua_remove(L, -2);
}

// The position of full subscripts; -1 outside of the bounds.
int64 position_of(const ArrayState *array, const int *subscripts) {
    int64 position = 0;
    for (int i = 0; i < array->dimensions; i++) {
        if (subscripts[i] < array->low[i] || subscripts[i] > high(array, i)) return -1;
        position = position * array->length[i] + (subscripts[i] - array->low[i]);
    }
    return position;
}

// The subscript at idx; false when it is none.
bool read_subscript(lua_State *L, int idx, int *subscript) {
    int whole = lua_isinteger(L, idx);
    const lua_Integer value =
        whole || lua_type(L, idx) == LUA_TNUMBER ? lua_tointegerx(L, idx, &whole) : 0;
    if (!whole || value < INT_MIN || value > INT_MAX) return false;
    *subscript = static_cast<int>(value);
    return true;
}

void push_slice(lua_State *L, int array_idx, int depth, const int *subscripts) {
    Slice *slice = lua::new_userdata<Slice>(L, kSliceType, 1);
    slice->depth = depth;
    for (int i = 0; i < depth; i++) slice->subscripts[i] = subscripts[i];
    lua_pushvalue(L, array_idx);
    lua_setiuservalue(L, -2, 1);
}

// Pushes what the subscripts lead to: an element, a slice, nil.
void push_at(lua_State *L, int array_idx, ArrayObject *object, int depth, const int *subscripts) {
    const ArrayState *array = &object->array;
    const int64 position = depth == array->dimensions ? position_of(array, subscripts) : -1;
    const int last = depth - 1;
    if (depth < array->dimensions && subscripts[last] >= array->low[last] &&
        subscripts[last] <= high(array, last))
        push_slice(L, array_idx, depth, subscripts);
    else if (position >= 0)
        push_element(L, array_idx, object, position);
    else
        lua_pushnil(L);
}

// Moves the elements on, into a table that takes the place of the one on top; what is interrupted
// has changed nothing.
void move_elements(lua_State *L, int array_idx, int count, int64 shift) {
    lua_newtable(L);
    for (int i = 1; i <= count; i++) {
        lua::check_interrupt(L);
        if (lua_rawgeti(L, -2, i) == LUA_TNIL)
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, i + shift);
    }
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, array_idx, 1);
    lua_replace(L, -2);
}

// Makes room in the one dimension for a subscript outside the bounds.
// The elements' table is on top.
void extend(lua_State *L, int array_idx, ArrayState *array, int subscript) {
    close_elements(L, array_idx);
    if (array->dimensions == 0) {
        array->dimensions = 1;
        array->low[0] = subscript;
        array->length[0] = 0;
    }
    const int64 first = Min(array->low[0], subscript);
    const int64 last = Max(static_cast<int64>(array->low[0]) + array->length[0] - 1, subscript);
    if (last - first + 1 > static_cast<int64>(MaxArraySize))
        lua::raise(L, "54000", "array size exceeds the maximum allowed (%d)",
                   static_cast<int>(MaxArraySize));
    const int64 shift = array->low[0] - first;
    if (shift > 0 && array->length[0] > 0) move_elements(L, array_idx, array->length[0], shift);
    array->low[0] = static_cast<int>(first);
    array->length[0] = static_cast<int>(last - first + 1);
}

// Assigns the value at value_idx.
void assign(lua_State *L, int array_idx, ArrayObject *object, int depth, const int *subscripts,
            int value_idx) {
    ArrayState *array = &object->array;
    if (depth < array->dimensions) lua::raise(L, "2202E", "not enough subscripts for array");
    if (depth > Max(array->dimensions, 1)) lua::raise(L, "2202E", "too many subscripts for array");
    const Type *element = element_of(L, object->type);
    bool isnull;
    const Datum value = to_datum(L, value_idx, element, &isnull);
    push_elements(L, array_idx, object);
    const int64 position = array->dimensions == 0 ? -1 : position_of(array, subscripts);
    if (position < 0 && array->dimensions > 1)
        lua::raise(L, "2202E", "array subscript out of range");
    if (position < 0) extend(L, array_idx, array, subscripts[0]);
    push(L, element, value, isnull);
    lua_rawseti(L, -2, position_of(array, subscripts) + 1);
    lua_pop(L, 1);
    array->modified = true;
    if (isnull) array->has_nulls = true;
}

// The array at 1, which has the metatable that is the first upvalue: what is called most looks no
// further. Errors: lua.
ArrayObject *own_array(lua_State *L) {
    void *block = lua_touserdata(L, 1);
    const bool own =
        block != nullptr && lua_getmetatable(L, 1) && lua_rawequal(L, -1, lua_upvalueindex(1));
    return own ? static_cast<ArrayObject *>(block) : check_array(L, 1);
}

// Pushes a[subscript] of an array of more dimensions. Slices are kept in the second user value.
void push_row_slice(lua_State *L, ArrayObject *object, int subscript) {
    if (lua_getiuservalue(L, 1, 2) != LUA_TTABLE) {
        lua_createtable(L, object->array.length[0], 0);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 2);
    }
    if (lua_rawgeti(L, -1, subscript) != LUA_TNIL) return;
    push_slice(L, 1, 1, &subscript);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, subscript);
}

int index(lua_State *L) {
    ArrayObject *object = own_array(L);
    ArrayState *array = &object->array;
    int subscript;
    if (!read_subscript(L, 2, &subscript) || array->dimensions == 0 || subscript < array->low[0] ||
        subscript > high(array, 0))
        return 0;
    if (array->dimensions == 1) count_look(L, object);
    if (array->dimensions > 1)
        push_row_slice(L, object, subscript);
    else
        push_element(L, 1, object, static_cast<int64>(subscript) - array->low[0]);
    return 1;
}

int new_index(lua_State *L) {
    ArrayObject *object = check_array(L, 1);
    int subscript;
    if (!read_subscript(L, 2, &subscript))
        lua::raise(L, "2202E", "array subscript must be an integer");
    assign(L, 1, object, 1, &subscript, 3);
    return 0;
}

int length(lua_State *L) {
    const ArrayObject *object = check_array(L, 1);
    lua_pushinteger(L, object->array.dimensions == 0 ? 0 : high(&object->array, 0));
    return 1;
}

// The step of pairs(): subscript and element of the next place of the dimension.
int step(lua_State *L, int array_idx, ArrayObject *object, int depth, int *subscripts) {
    const ArrayState *array = &object->array;
    if (depth >= array->dimensions) return 0;
    int next = array->low[depth];
    if (!lua_isnoneornil(L, 2) && read_subscript(L, 2, &next)) next++;
    if (next > high(array, depth)) return 0;
    subscripts[depth] = next;
    lua_pushinteger(L, next);
    push_at(L, array_idx, object, depth + 1, subscripts);
    return 2;
}

int array_next(lua_State *L) {
    int subscripts[MAXDIM];
    return step(L, 1, check_array(L, 1), 0, subscripts);
}

int array_pairs(lua_State *L) {
    lua_pushcfunction(L, array_next);
    lua_pushvalue(L, 1);
    return 2;
}

int call(lua_State *L) {
    check_array(L, 1);
    lua_settop(L, 2);
    return map_array(L, 1, 2, 0, nullptr);
}

// The slice at 1, with its array pushed.
Slice *check_slice(lua_State *L, ArrayObject **object) {
    Slice *slice = lua::check_userdata<Slice>(L, 1, kSliceType);
    lua_getiuservalue(L, 1, 1);
    *object = check_array(L, -1);
    return slice;
}

int slice_index(lua_State *L) {
    lua_settop(L, 2);
    ArrayObject *object;
    Slice slice = *check_slice(L, &object);
    if (!read_subscript(L, 2, &slice.subscripts[slice.depth])) return 0;
    push_at(L, 3, object, slice.depth + 1, slice.subscripts);
    return 1;
}

int slice_new_index(lua_State *L) {
    lua_settop(L, 3);
    ArrayObject *object;
    Slice slice = *check_slice(L, &object);
    if (!read_subscript(L, 2, &slice.subscripts[slice.depth]))
        lua::raise(L, "2202E", "array subscript must be an integer");
    assign(L, 4, object, slice.depth + 1, slice.subscripts, 3);
    return 0;
}

int slice_length(lua_State *L) {
    lua_settop(L, 1);
    ArrayObject *object;
    const Slice *slice = check_slice(L, &object);
    lua_pushinteger(L, slice->depth < object->array.dimensions ? high(&object->array, slice->depth)
                                                               : 0);
    return 1;
}

int slice_next(lua_State *L) {
    lua_settop(L, 2);
    ArrayObject *object;
    Slice slice = *check_slice(L, &object);
    return step(L, 3, object, slice.depth, slice.subscripts);
}

int slice_pairs(lua_State *L) {
    lua_pushcfunction(L, slice_next);
    lua_pushvalue(L, 1);
    return 2;
}

int slice_call(lua_State *L) {
    lua_settop(L, 2);
    ArrayObject *object;
    const Slice *slice = check_slice(L, &object);
    return map_array(L, 3, 2, slice->depth, slice->subscripts);
}

constexpr luaL_Reg kSliceMethods[] = {
    {"__index", slice_index}, {"__newindex", slice_new_index}, {"__len", slice_length},
    {"__pairs", slice_pairs}, {"__ipairs", slice_pairs},       {"__call", slice_call},
    {nullptr, nullptr},
};

constexpr luaL_Reg kMetamethods[] = {
    {"__newindex", new_index}, {"__len", length}, {"__pairs", array_pairs},
    {"__ipairs", array_pairs}, {"__call", call},  {nullptr, nullptr},
};

void init_object(DatumObject *datum_object) {
    ArrayObject *object = static_cast<ArrayObject *>(datum_object);
    const ArrayType *bytes = bytes_of(object);
    ArrayState *array = &object->array;
    array->dimensions = ARR_NDIM(bytes);
    array->has_nulls = ARR_HASNULL(bytes);
    array->looks = 0;
    array->deformed = false;
    array->modified = false;
    for (int i = 0; i < array->dimensions; i++) {
        array->length[i] = ARR_DIMS(bytes)[i];
        array->low[i] = ARR_LBOUND(bytes)[i];
    }
}

Datum present_value(lua_State *L, int idx, DatumObject *datum_object) {
    ArrayObject *object = static_cast<ArrayObject *>(datum_object);
    return object->array.modified ? convert_elements(L, idx, object->type, object) : object->value;
}

void add_metamethods(lua_State *L) {
    luaL_setfuncs(L, kMetamethods, 0);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, index, 1);
    lua_setfield(L, -2, "__index");
    if (lua::new_metatable(L, kSliceType)) luaL_setfuncs(L, kSliceMethods, 0);
    lua_pop(L, 1);
}

void complete(Type *type, Form_pg_type form) { type->element_oid = form->typelem; }

} // namespace

const Family kArrayFamily = {.to_lua = push_object,
                             .from_lua = array_from_lua,
                             .takes_modifiers = true,
                             .complete = complete,
                             .construct = construct_array,
                             .object_name = "array",
                             .add_metamethods = add_metamethods,
                             .object_size = sizeof(ArrayObject),
                             .user_values = 2,
                             .init_object = init_object,
                             .object_value = present_value};

} // namespace pllua_bg::types
