// jsonb as Lua values. Walks the stored form itself (src/include/utils/jsonb.h), so that a whole
// document costs no server call but for the numbers kept exact. Owns nothing.
#include "types/json.h"
#include "types/json_walk.h"
#include "types/numeric.h"

#include "lua/interrupt.h"
#include "lua/state.h"

namespace pllua_bg::types {

namespace {

// One conversion; the slots are stack indexes.
struct Walk {
    int map;
    int null;
    int path; // a table of the keys that lead to the container at work
    bool mapped;
    bool discard;
    bool plain; // neither mapped nor discarded
    bool exact; // numbers stay numerics
    bool flat;  // containers within stay jsonb
};

void push_container(lua_State *L, const Walk &walk, const JsonbContainer *container, int depth);

void push_scalar(lua_State *L, const Walk &walk, const JsonEntry &entry) {
    switch (entry.kind) {
    case JsonEntry::kNull: lua_pushvalue(L, walk.null); break;
    case JsonEntry::kTrue: lua_pushboolean(L, true); break;
    case JsonEntry::kFalse: lua_pushboolean(L, false); break;
    case JsonEntry::kString: lua_pushlstring(L, entry.data, entry.length); break;
    default:
        if (walk.exact)
            push_object(L, numeric_type(L), PointerGetDatum(entry.data));
        else
            push_number(L, PointerGetDatum(entry.data));
    }
}

// Replaces key and value on top by what the map function makes of them; depth keys of the path are
// its further arguments.
void apply_map(lua_State *L, const Walk &walk, int depth) {
    lua::need_stack(L, depth + 4);
    lua_pushvalue(L, walk.map);
    lua_insert(L, -3);
    for (int i = 1; i <= depth; i++) lua_rawgeti(L, walk.path, i);
    lua_call(L, 2 + depth, 2);
}

// Stores key and value on top in the table below them; without a key, or discarding, nothing.
void store(lua_State *L, const Walk &walk, bool in_array) {
    if (walk.discard || lua_isnil(L, -2)) {
        lua_pop(L, 2);
        return;
    }
    if (in_array && lua_isinteger(L, -2)) {
        lua_pushinteger(L, lua_tointeger(L, -2) + 1);
        lua_replace(L, -3);
    }
    lua_rawset(L, -3);
}

// Pushes the value of one entry; its key, where the path is kept, is on top.
void push_entry(lua_State *L, const Walk &walk, const JsonEntry &entry, int depth) {
    if (entry.kind != JsonEntry::kContainer) {
        push_scalar(L, walk, entry);
    } else if (walk.flat) {
        push_json_container(L, entry);
    } else if (walk.plain) {
        push_container(L, walk, entry.container(), depth + 1);
    } else {
        lua_pushvalue(L, -1);
        lua_rawseti(L, walk.path, depth + 1);
        push_container(L, walk, entry.container(), depth + 1);
        lua_pushnil(L);
        lua_rawseti(L, walk.path, depth + 1);
    }
}

// Pushes the table of a container; a placeholder when results are discarded.
void push_container(lua_State *L, const Walk &walk, const JsonbContainer *container, int depth) {
    lua::need_stack(L, 10);
    lua::check_stack(L);
    const bool is_array = JsonContainerIsArray(container);
    const int count = static_cast<int>(JsonContainerSize(container));
    lua_createtable(L, is_array ? count : 0, is_array ? 0 : count);
    for (int i = 0; i < count; i++) {
        lua::check_interrupt(L);
        const JsonEntry entry = json_entry(container, is_array ? i : i + count);
        if (is_array && walk.plain) { // the most common, without a key
            push_entry(L, walk, entry, depth);
            lua_rawseti(L, -2, i + 1);
            continue;
        }
        if (is_array) {
            lua_pushinteger(L, i);
        } else {
            const JsonEntry key = json_entry(container, i);
            lua_pushlstring(L, key.data, key.length);
        }
        push_entry(L, walk, entry, depth);
        const bool discarded = walk.discard && entry.kind == JsonEntry::kContainer && !walk.flat;
        if (walk.mapped && !discarded) apply_map(L, walk, depth);
        store(L, walk, is_array);
    }
    set_json_mark(L, lua_gettop(L), is_array ? JsonMark::kArray : JsonMark::kObject);
}

} // namespace

int map_jsonb(lua_State *L, const JsonbObject *object, int options_idx) {
    Walk walk = {};
    if (lua_type(L, options_idx) == LUA_TTABLE) {
        lua_getfield(L, options_idx, "pg_numeric");
        walk.exact = lua_toboolean(L, -1);
        lua_getfield(L, options_idx, "norecurse");
        walk.flat = lua_toboolean(L, -1);
        lua_pop(L, 2);
    }
    walk.discard = push_map_options(L, options_idx);
    walk.null = lua_gettop(L);
    walk.map = walk.null - 1;
    walk.mapped = !lua_isnil(L, walk.map);
    const JsonbContainer *root = object->root;
    const bool scalar = JsonContainerIsScalar(root);
    walk.plain = !walk.mapped && !walk.discard;
    lua_newtable(L);
    walk.path = lua_gettop(L);
    lua_pushnil(L); // the key of the whole
    if (scalar)
        push_scalar(L, walk, json_entry(root, 0));
    else
        push_container(L, walk, root, 0);
    if (walk.mapped && !(walk.discard && !scalar)) apply_map(L, walk, 0);
    return walk.discard ? 0 : 1;
}

} // namespace pllua_bg::types
