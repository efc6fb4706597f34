// The types json and jsonb: text, and objects. Owns nothing.
#include "types/json.h"

#include "types/cast.h"

namespace pllua_bg::types {

namespace {

Datum json_from_lua(lua_State *L, int idx, const Type *type) {
    const DatumObject *object;
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TTABLE: return json_of_value(L, idx, default_json_options(), type);
    case LUA_TUSERDATA:
        // Values that hold JSON already are cast; all others become JSON as by to_jsonb().
        object = object_at(L, idx);
        if (object != nullptr && !object->type->family->is_text &&
            object->type->family != &kJsonbFamily)
            return json_of_value(L, idx, default_json_options(), type);
        return generic_from_lua(L, idx, type);
    default: return generic_from_lua(L, idx, type);
    }
}

// A value and its options, which may be nil.
bool construct(lua_State *L, const Type *type, int first, int count, Datum *value) {
    if (count == 1) return false;
    if (count != 2) wrong_argument_count(L, 2, count);
    if (!lua_istable(L, first + 1) && !lua_isnil(L, first + 1))
        lua::raise(L, "42804", "options for JSON are a table, not a %s",
                   luaL_typename(L, first + 1));
    const JsonOptions options =
        lua_isnil(L, first + 1) ? default_json_options() : read_json_options(L, first + 1);
    *value = json_of_value(L, first, options, type);
    return true;
}

} // namespace

const Family kJsonFamily = {.to_lua = text_to_lua,
                            .from_lua = json_from_lua,
                            .is_text = true,
                            .takes_tables = true,
                            .construct = construct};
const Family kJsonbFamily = {.to_lua = push_object,
                             .from_lua = json_from_lua,
                             .takes_tables = true,
                             .construct = construct,
                             .object_name = "jsonb",
                             .add_metamethods = add_jsonb_metamethods,
                             .object_size = sizeof(JsonbObject),
                             .init_object = init_jsonb,
                             .object_value = jsonb_value};

} // namespace pllua_bg::types
