// JSON between Lua and the server: what the files json_*.cpp share. Owns nothing.
#pragma once

#include "types/buffer.h"
#include "types/datum_object.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::types {

// How Lua tables that came from JSON are marked, so that empty ones go back as what they were.
enum class JsonMark { kNone, kObject, kArray };

// json_module.cpp
JsonMark json_mark(lua_State *L, int idx);
// Marks the table at idx. Errors: lua (memory).
void set_json_mark(lua_State *L, int idx, JsonMark mark);

// A jsonb, or a container within one, which then is its first user value.
struct JsonbObject : DatumObject {
    const JsonbContainer *root;
    size_t length; // bytes of the container
};

// The jsonb that a function was called with. json_module.cpp. Errors: lua.
const JsonbObject *check_jsonb(lua_State *L, int idx);
// Puts the metamethods of jsonb objects into the metatable on top. json_module.cpp. Errors: lua.
void add_jsonb_metamethods(lua_State *L);

// json_index.cpp
void add_jsonb_indexing(lua_State *L);                               // Errors: lua.
void init_jsonb(DatumObject *object);                                // Errors: none.
Datum jsonb_value(lua_State *L, int idx, DatumObject *datum_object); // Errors: lua.

// Pushes what j(options) gives; returns the number of results. json_read.cpp. Errors: lua.
int map_jsonb(lua_State *L, const JsonbObject *object, int options_idx);

// Options of pgtype.jsonb(value, options); the slots are stack indexes, 0 for none.
struct JsonOptions {
    int map;
    int null;
    bool empty_object;
    lua_Integer array_threshold;
    lua_Integer array_fraction;
};

// Pushes a plain table of what the __pairs metamethod on top (popped) yields for the value at idx.
// A nil value becomes the writer's null. json_write.cpp. Errors: lua.
void collect_pairs(lua_State *L, int idx);

// Reads the options table at idx; pushes two values that must stay. Errors: lua.
JsonOptions read_json_options(lua_State *L, int idx);
JsonOptions default_json_options();
// The json or jsonb datum of the Lua value at idx. json_write.cpp. Errors: lua.
Datum json_of_value(lua_State *L, int idx, const JsonOptions &options, const Type *type);

} // namespace pllua_bg::types
