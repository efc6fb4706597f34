// jsonb objects as tables: j.key, j[1], #j, without converting the document. Containers within it
// are objects that point into it. Owns nothing.
#include "lua/error.h"
#include "types/json.h"
#include "types/json_walk.h"
#include "types/numeric.h"

namespace pllua_bg::types {

namespace {

// Keys are stored by length, then by their bytes.
int compare_key(const JsonEntry &key, const char *text, size_t length) {
    if (key.length != length) return key.length < length ? -1 : 1;
    return memcmp(key.data, text, length);
}

// The place of the value of a key among the children of an object; -1 where there is none.
int place_of_key(const JsonbContainer *object, const char *text, size_t length) {
    const int count = static_cast<int>(JsonContainerSize(object));
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = compare_key(json_entry(object, middle), text, length);
        if (order == 0) return middle + count;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

// The same of what the Lua value at idx stands for.
int place_of(lua_State *L, const JsonbContainer *root, int idx) {
    if (JsonContainerIsScalar(root)) lua::raise(L, "42804", "cannot index a jsonb scalar");
    if (JsonContainerIsObject(root)) {
        if (lua_type(L, idx) != LUA_TSTRING) return -1;
        size_t length;
        const char *text = lua_tolstring(L, idx, &length);
        return place_of_key(root, text, length);
    }
    int is_integer;
    const lua_Integer i = lua_tointegerx(L, idx, &is_integer);
    const bool there = is_integer && lua_type(L, idx) == LUA_TNUMBER && i >= 1 &&
                       i <= static_cast<lua_Integer>(JsonContainerSize(root));
    return there ? static_cast<int>(i) - 1 : -1;
}

// Pushes a container within the object at idx as an object, which keeps the whole.
void push_inner(lua_State *L, int idx, const JsonEntry &entry) {
    auto *inner = static_cast<JsonbObject *>(lua_newuserdatauv(L, sizeof(JsonbObject), 1));
    inner->type = static_cast<const DatumObject *>(lua_touserdata(L, idx))->type;
    inner->value = 0;
    inner->root = entry.container();
    inner->length = entry.length;
    if (lua_getiuservalue(L, idx, 1) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        lua_pushvalue(L, idx);
    }
    lua_setiuservalue(L, -2, 1);
    lua_getmetatable(L, idx);
    lua_setmetatable(L, -2);
}

int index(lua_State *L) {
    const JsonbObject *object = check_jsonb(L, 1);
    const int place = place_of(L, object->root, 2);
    if (place < 0) return 0;
    const JsonEntry entry = json_entry(object->root, place);
    switch (entry.kind) {
    case JsonEntry::kNull: lua_pushnil(L); break;
    case JsonEntry::kTrue: lua_pushboolean(L, true); break;
    case JsonEntry::kFalse: lua_pushboolean(L, false); break;
    case JsonEntry::kString: lua_pushlstring(L, entry.data, entry.length); break;
    case JsonEntry::kNumber: push_number(L, PointerGetDatum(entry.data)); break;
    default: push_inner(L, 1, entry);
    }
    return 1;
}

int set_index(lua_State *L) {
    lua::raise(L, "0A000", "a jsonb cannot be changed: convert it to a table with j()");
}

int length(lua_State *L) {
    const JsonbObject *object = check_jsonb(L, 1);
    if (!JsonContainerIsArray(object->root) || JsonContainerIsScalar(object->root))
        lua::raise(L, "42804", "jsonb value is not an array");
    lua_pushinteger(L, static_cast<lua_Integer>(JsonContainerSize(object->root)));
    return 1;
}

constexpr luaL_Reg kMetamethods[] = {
    {"__index", index},
    {"__newindex", set_index},
    {"__len", length},
    {nullptr, nullptr},
};

} // namespace

void add_jsonb_indexing(lua_State *L) { luaL_setfuncs(L, kMetamethods, 0); }

void init_jsonb(DatumObject *datum_object) {
    auto *object = static_cast<JsonbObject *>(datum_object);
    object->root = json_root(object->value);
    object->length = VARSIZE(DatumGetPointer(object->value)) - VARHDRSZ;
}

Datum jsonb_value(lua_State *L, int, DatumObject *datum_object) {
    const auto *object = static_cast<const JsonbObject *>(datum_object);
    if (object->value != 0) return object->value;
    // Offsets within a container are its own, so its bytes are a jsonb but for the header.
    char *copy = static_cast<char *>(allocate(L, VARHDRSZ + object->length));
    SET_VARSIZE(copy, VARHDRSZ + object->length);
    memcpy(VARDATA(copy), object->root, object->length);
    return PointerGetDatum(copy);
}

} // namespace pllua_bg::types
