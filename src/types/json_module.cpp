// The module pllua.jsonb, the metamethods of jsonb objects, and the marks of tables that came from
// JSON. Owns the two mark metatables, in the registry of each state.
#include "lua/fields.h"
#include "types/json.h"
#include "types/json_walk.h"
#include "types/numeric.h"

namespace pllua_bg::types {

namespace {

const char kObjectMark = 0;
const char kArrayMark = 0;

void push_mark(lua_State *L, const char *key, const char *name) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua::set_text(L, "__name", name);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

bool metatable_is(lua_State *L, const char *key) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    const bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

const JsonbContainer *root_of(const DatumObject *object) {
    return static_cast<const JsonbObject *>(object)->root;
}

// Pushes an entry of a container as pairs() shows it: containers stay jsonb, numbers numeric.
void push_entry(lua_State *L, const JsonEntry &entry) {
    switch (entry.kind) {
    case JsonEntry::kNull: return lua_pushnil(L);
    case JsonEntry::kTrue: return lua_pushboolean(L, true);
    case JsonEntry::kFalse: return lua_pushboolean(L, false);
    case JsonEntry::kString: lua_pushlstring(L, entry.data, entry.length); return;
    case JsonEntry::kNumber: return push_object(L, numeric_type(L), PointerGetDatum(entry.data));
    default: break;
    }
    push_json_container(L, entry);
}

// Upvalues: the jsonb, the number of entries already seen.
int next_entry(lua_State *L) {
    const DatumObject *object = static_cast<DatumObject *>(lua_touserdata(L, lua_upvalueindex(1)));
    const JsonbContainer *root = root_of(object);
    const int position = static_cast<int>(lua_tointeger(L, lua_upvalueindex(2)));
    const int count = static_cast<int>(JsonContainerSize(root));
    if (position >= count) return 0;
    lua_pushinteger(L, position + 1);
    lua_replace(L, lua_upvalueindex(2));
    if (JsonContainerIsArray(root)) {
        if (JsonContainerIsScalar(root)) // has no place in anything
            lua_pushboolean(L, true);
        else
            lua_pushinteger(L, position);
        push_entry(L, json_entry(root, position));
    } else {
        const JsonEntry key = json_entry(root, position);
        lua_pushlstring(L, key.data, key.length);
        push_entry(L, json_entry(root, position + count));
    }
    return 2;
}

int pairs(lua_State *L) {
    (void)check_jsonb(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_entry, 2);
    return 1;
}

int array_pairs(lua_State *L) {
    const JsonbContainer *root = root_of(check_jsonb(L, 1));
    if (!JsonContainerIsArray(root) || JsonContainerIsScalar(root))
        lua::raise(L, "42804", "jsonb value is not an array");
    return pairs(L);
}

int call(lua_State *L) {
    const JsonbObject *object = check_jsonb(L, 1);
    lua_settop(L, 2);
    return map_jsonb(L, object, 2);
}

const char *type_name(const JsonbContainer *root) {
    if (JsonContainerIsObject(root)) return "object";
    if (!JsonContainerIsScalar(root)) return "array";
    switch (json_entry(root, 0).kind) {
    case JsonEntry::kNull: return "null";
    case JsonEntry::kString: return "string";
    case JsonEntry::kNumber: return "number";
    default: return "boolean";
    }
}

const char *marked_name(lua_State *L, int idx) {
    switch (json_mark(L, idx)) {
    case JsonMark::kObject: return "object";
    case JsonMark::kArray: return "array";
    default: return nullptr;
    }
}

// type(value [, lax]): with lax also of Lua values.
int type(lua_State *L) {
    lua_settop(L, 2);
    const DatumObject *object = object_at(L, 1);
    const bool lax = lua_toboolean(L, 2);
    const char *name = nullptr;
    if (object != nullptr && object->type->family == &kJsonbFamily)
        name = type_name(root_of(object));
    else if (object != nullptr && object->type->family == &kNumericFamily && lax)
        name = "number";
    else if (lua_istable(L, 1))
        name = marked_name(L, 1);
    else if (lax && lua_isnil(L, 1))
        name = "null";
    else if (lax && (lua_isboolean(L, 1) || lua_type(L, 1) == LUA_TNUMBER ||
                     lua_type(L, 1) == LUA_TSTRING))
        name = luaL_typename(L, 1);
    if (name != nullptr)
        lua_pushstring(L, name);
    else
        lua_pushnil(L);
    return 1;
}

template <JsonMark kMark> int is_marked(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushboolean(L, json_mark(L, 1) == kMark);
    return 1;
}

template <JsonMark kMark> int set_mark(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1) && json_mark(L, 1) == JsonMark::kNone)
        luaL_argerror(L, 1, "cannot replace existing metatable");
    lua_settop(L, 1);
    set_json_mark(L, 1, kMark);
    return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"pairs", pairs},
    {"ipairs", array_pairs},
    {"type", type},
    {"is_object", is_marked<JsonMark::kObject>},
    {"is_array", is_marked<JsonMark::kArray>},
    {"set_as_object", set_mark<JsonMark::kObject>},
    {"set_as_array", set_mark<JsonMark::kArray>},
    {"set_as_unknown", set_mark<JsonMark::kNone>},
    {nullptr, nullptr},
};

} // namespace

const JsonbObject *check_jsonb(lua_State *L, int idx) {
    return static_cast<const JsonbObject *>(check_object(L, idx, kJsonbFamily));
}

void push_json_container(lua_State *L, const JsonEntry &entry) {
    // Offsets within a container are its own, so its bytes are a jsonb but for the header.
    char *copy = static_cast<char *>(allocate(L, VARHDRSZ + entry.length));
    SET_VARSIZE(copy, VARHDRSZ + entry.length);
    memcpy(VARDATA(copy), entry.data, entry.length);
    push_object(L, find(L, JSONBOID, -1), PointerGetDatum(copy));
    pfree(copy);
}

JsonMark json_mark(lua_State *L, int idx) {
    if (!lua_getmetatable(L, idx)) return JsonMark::kNone;
    JsonMark mark = JsonMark::kNone;
    if (metatable_is(L, &kObjectMark)) mark = JsonMark::kObject;
    if (metatable_is(L, &kArrayMark)) mark = JsonMark::kArray;
    lua_pop(L, 1);
    return mark;
}

void set_json_mark(lua_State *L, int idx, JsonMark mark) {
    switch (mark) {
    case JsonMark::kObject: push_mark(L, &kObjectMark, "jsonb object"); break;
    case JsonMark::kArray: push_mark(L, &kArrayMark, "jsonb array"); break;
    default: lua_pushnil(L);
    }
    lua_setmetatable(L, idx);
}

void add_jsonb_metamethods(lua_State *L) {
    add_jsonb_indexing(L);
    lua_pushcfunction(L, call);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, pairs);
    lua_setfield(L, -2, "__pairs");
}

int open_jsonb(lua_State *L) {
    luaL_newlib(L, kFunctions);
    return 1;
}

} // namespace pllua_bg::types
