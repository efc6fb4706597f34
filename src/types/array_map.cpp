// a(), a{map=, null=, discard=}: arrays as plain Lua tables. Owns nothing.
#include "types/array.h"

#include "lua/interrupt.h"
#include "lua/state.h"

namespace pllua_bg::types {

namespace {

// One walk over an array; the indexes are stack slots.
struct Walk {
    const ArrayState *array;
    int array_idx;
    int elements;
    int map;
    int null;
    bool discard;
    int subscripts[MAXDIM];
};

// Pushes the mapped element at the full subscripts.
void push_mapped(lua_State *L, const Walk &walk) {
    int64 position = 0;
    for (int i = 0; i < walk.array->dimensions; i++)
        position = position * walk.array->length[i] + (walk.subscripts[i] - walk.array->low[i]);
    const bool mapped = !lua_isnil(L, walk.map);
    if (mapped) lua_pushvalue(L, walk.map);
    if (lua_rawgeti(L, walk.elements, position + 1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushvalue(L, walk.null);
    }
    if (!mapped) return;
    lua_pushvalue(L, walk.array_idx);
    for (int i = 0; i < walk.array->dimensions; i++) lua_pushinteger(L, walk.subscripts[i]);
    lua_call(L, 2 + walk.array->dimensions, 1);
}

// Pushes the table of a dimension (nothing when results are discarded).
void push_dimension(lua_State *L, Walk *walk, int depth) {
    lua::need_stack(L, MAXDIM + 6);
    const int low = walk->array->low[depth];
    const int length = walk->array->length[depth];
    const bool leaf = depth + 1 == walk->array->dimensions;
    if (!walk->discard) lua_createtable(L, length, 0);
    for (int i = 0; i < length; i++) {
        lua::check_interrupt(L);
        walk->subscripts[depth] = low + i;
        if (leaf)
            push_mapped(L, *walk);
        else
            push_dimension(L, walk, depth + 1);
        if (!walk->discard)
            lua_rawseti(L, -2, low + i);
        else if (leaf)
            lua_pop(L, 1);
    }
}

} // namespace

int map_array(lua_State *L, int array_idx, int options_idx, int depth, const int *subscripts) {
    ArrayObject *object = static_cast<ArrayObject *>(check_object(L, array_idx, kArrayFamily));
    Walk walk = {};
    // A map function may change the array; the walk keeps to what it was.
    const ArrayState array = object->array;
    walk.array = &array;
    walk.array_idx = array_idx;
    for (int i = 0; i < depth; i++) walk.subscripts[i] = subscripts[i];
    walk.discard = push_map_options(L, options_idx);
    walk.null = lua_gettop(L);
    walk.map = walk.null - 1;
    push_elements(L, array_idx, object);
    walk.elements = lua_gettop(L);
    for (int i = 0; i < depth; i++)
        if (subscripts[i] < array.low[i] || subscripts[i] >= array.low[i] + array.length[i])
            lua::raise(L, "2202E", "array subscript out of range");
    if (array.dimensions > depth)
        push_dimension(L, &walk, depth);
    else if (!walk.discard)
        lua_newtable(L);
    return walk.discard ? 0 : 1;
}

} // namespace pllua_bg::types
