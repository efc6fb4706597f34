// The table of elements of an array object, and the metatable by which Lua looks into that table
// itself. Owns nothing.
#include "types/array.h"

#include "lua/interrupt.h"

extern "C" {
#include "access/tupmacs.h"
#include "utils/array.h"
}

namespace pllua_bg::types {

namespace {

// Key in a metatable that one array has for itself: the metatable of all arrays of the type.
constexpr char kCommon = 0;
constexpr int kFewLooks = 16;
constexpr int kMostOpen = 1000000; // elements

// The elements lie side by side: of equal length, none of them null.
void fill_plain(lua_State *L, const Type *element, const char *address, int64 count) {
    for (int64 i = 1; i <= count; i++) {
        if (i % 1024 == 0) lua::check_interrupt(L);
        element->to_lua(L, element, fetch_att(address, true, element->length));
        lua_rawseti(L, -2, i);
        address += element->length;
    }
}

void fill(lua_State *L, const Type *element, const ArrayType *bytes, int64 count) {
    const char *address = ARR_DATA_PTR(bytes);
    const uint8 *nulls = ARR_NULLBITMAP(bytes);
    for (int64 i = 0; i < count; i++) {
        lua::check_interrupt(L);
        if (nulls != nullptr && (nulls[i / 8] & (1 << i % 8)) == 0) continue;
        push(L, element, fetch_att(address, element->by_value, element->length), false);
        lua_rawseti(L, -2, i + 1);
        address = att_addlength_pointer(address, element->length, address);
        address = reinterpret_cast<const char *>(att_align_nominal(address, element->align));
    }
}

// Gives the array at 1 a metatable of its own, in which Lua finds the elements without a call, once
// enough of them were asked for.
void open_elements(lua_State *L, ArrayObject *object) {
    push_elements(L, 1, object);
    const int elements = lua_gettop(L);
    lua_getmetatable(L, 1);
    lua_createtable(L, 0, 16);
    const int own = elements + 2;
    for (lua_pushnil(L); lua_next(L, elements + 1) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, own);
    }
    lua_pushvalue(L, elements + 1);
    lua_rawsetp(L, own, &kCommon);
    lua_pushliteral(L, "__index");
    lua_pushvalue(L, elements);
    lua_rawset(L, own);
    lua_setmetatable(L, 1);
    lua_settop(L, elements - 1);
}

} // namespace

int64 element_count(const ArrayState *array) {
    int64 count = array->dimensions == 0 ? 0 : 1;
    for (int i = 0; i < array->dimensions; i++) count *= array->length[i];
    return count;
}

void push_elements(lua_State *L, int idx, ArrayObject *object) {
    idx = lua_absindex(L, idx);
    if (lua_getiuservalue(L, idx, 1) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua::need_stack(L, 8);
    const Type *element = element_of(L, object->type);
    const int64 count = element_count(&object->array);
    auto *bytes = reinterpret_cast<ArrayType *>(DatumGetPointer(object->value));
    lua_createtable(L, static_cast<int>(count), 0);
    if (element->by_value && !ARR_HASNULL(bytes))
        fill_plain(L, element, ARR_DATA_PTR(bytes), count);
    else
        fill(L, element, bytes, count);
    // Rows are tables: whoever holds one may write to it.
    if (element->family == &kCompositeFamily) object->array.modified = true;
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, 1);
    object->array.deformed = true;
}

void count_look(lua_State *L, ArrayObject *object) {
    ArrayState *array = &object->array;
    const int enough = array->deformed ? kFewLooks : Max(kFewLooks, array->length[0] / 32);
    if (array->looks > enough) return;
    if (++array->looks == enough && array->low[0] == 1 && array->length[0] <= kMostOpen)
        open_elements(L, object);
}

void close_elements(lua_State *L, int array_idx) {
    lua_getmetatable(L, array_idx);
    if (lua_rawgetp(L, -1, &kCommon) == LUA_TTABLE)
        lua_setmetatable(L, array_idx);
    else
        lua_pop(L, 1);
    lua_pop(L, 1);
}

} // namespace pllua_bg::types
