// The module pgtype: objects that stand for types, which make datums when called.
// Owns the type objects of each Lua state, one per plan, in the registry.
#include "types/datum_object.h"
#include "types/hooks.h"
#include "types/shape.h"

#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "catalog/namespace.h"
#include "parser/parse_type.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
}

namespace pllua_bg::types {

namespace {

constexpr char kTypeObject[] = "pgtype";
const char kObjects = 0;    // registry key: type objects by plan
const char kNames = 0;      // registry key: type objects by SQL name
const char kArrayNames = 0; // registry key: the same of their array types

struct TypeObject {
    const Type *type;
};

void push_type_object(lua_State *L, const Type *type) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kObjects);
    if (lua_rawgetp(L, -1, type) == LUA_TNIL) {
        lua_pop(L, 1);
        lua::new_userdata<TypeObject>(L, kTypeObject)->type = type;
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, type);
    }
    lua_remove(L, -2);
}

const Type *check_type(lua_State *L, int idx) {
    return lua::check_userdata<TypeObject>(L, idx, kTypeObject)->type;
}

// A value of the type as a typed object, which even a simple one stays; rows are rows.
void push_made(lua_State *L, const Type *type, Datum value, bool isnull) {
    if (isnull || type->family == &kCompositeFamily || type->family == &kVoidFamily)
        return push(L, type, value, isnull);
    while (type->inner != type) type = type->inner;
    push_object(L, type, value);
}

// Pushes a row of the arguments, one for each column.
void make_row_of_arguments(lua_State *L, const Type *type, int count) {
    const Type *inner = type;
    while (inner->inner != inner) inner = inner->inner;
    if (inner->oid == RECORDOID)
        lua::raise(L, "42804", "a value of type record can only be made of a row");
    push_shape_of_type(L, inner->oid, -1);
    const Shape *shape = push_shape_data(L, -1);
    if (count != 0 && count != shape->live) wrong_argument_count(L, shape->live, count);
    lua_createtable(L, 0, count);
    int argument = 2;
    for (int i = 0; i < shape->descriptor->natts && count > 0; i++) {
        if (shape->columns[i].type == nullptr) continue;
        lua_pushvalue(L, argument++);
        set_column(L, -2, i);
    }
    finish_row(L, -3);
    bool isnull;
    const Datum value = to_datum(L, -1, type, &isnull);
    push(L, type, value, isnull);
    if (!isnull) free_value(type, value);
}

int construct_row(lua_State *L, const Type *type, int count) {
    const bool whole = count == 1 && (lua_istable(L, 2) || lua_isuserdata(L, 2));
    if (count == 1 && lua_isnil(L, 2)) {
        make_row_of_arguments(L, type, 0);
        return 1;
    }
    if (!whole) {
        make_row_of_arguments(L, type, count);
        return 1;
    }
    bool isnull;
    const Datum value = to_datum(L, 2, type, &isnull);
    push(L, type, value, isnull);
    if (!isnull) free_value(type, value);
    return 1;
}

int construct(lua_State *L) {
    const Type *type = check_type(L, 1);
    const int count = lua_gettop(L) - 1;
    bool isnull;
    if (type->family == &kCompositeFamily) return construct_row(L, type, count);
    const Datum value = types::construct(L, 2, count, type, &isnull);
    push_made(L, type, value, isnull);
    if (!isnull) free_value(type, value);
    return 1;
}

int from_string(lua_State *L) {
    const Type *type = check_type(L, 1);
    if (lua_isnoneornil(L, 2)) return lua_pushnil(L), 1;
    if (!lua_isstring(L, 2)) luaL_typeerror(L, 2, "string");
    const Datum value = input_from_lua(L, 2, type);
    push_made(L, type, value, false);
    free_value(type, value);
    return 1;
}

// Call inside pg::call. Errors: pg (22P03, 08P01, 42883 the type has no binary form).
Datum call_receive(const Type *type, char *bytes, size_t length) {
    const Scratch scratch = enter_scratch();
    Oid function, io_param;
    StringInfoData buffer;
    getTypeBinaryInputInfo(type->oid, &function, &io_param);
    initStringInfo(&buffer);
    appendBinaryStringInfo(&buffer, bytes, static_cast<int>(length));
    Datum value = OidReceiveFunctionCall(function, &buffer, io_param, type->typmod);
    if (buffer.cursor != buffer.len)
        ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                errmsg("too many bytes for a value of type %s", format_type_be(type->oid)));
    leave_scratch(scratch);
    value = datumCopy(value, type->by_value, type->length);
    end_scratch(scratch);
    return value;
}

int from_binary(lua_State *L) {
    const Type *type = check_type(L, 1);
    if (lua_isnoneornil(L, 2)) return lua_pushnil(L), 1;
    luaL_checktype(L, 2, LUA_TSTRING);
    size_t length;
    const char *bytes = lua_tolstring(L, 2, &length);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = call_receive(type, const_cast<char *>(bytes), length); });
    push_made(L, type, value, false);
    free_value(type, value);
    return 1;
}

// name([typmod])
int name(lua_State *L) {
    const Type *type = check_type(L, 1);
    const lua_Integer modifier = luaL_optinteger(L, 2, -1);
    if (modifier < 0) {
        push_type_name(L, type->oid);
        return 1;
    }
    if (modifier > INT_MAX) luaL_argerror(L, 2, "out of range");
    char *text = nullptr;
    pg::call_own_subxact(L, [&] {
        text = format_type_extended(type->oid, static_cast<int32>(modifier),
                                    FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_ALLOW_INVALID);
    });
    lua_pushstring(L, text);
    pfree(text);
    return 1;
}

int oid(lua_State *L) {
    lua_pushinteger(L, check_type(L, 1)->oid);
    return 1;
}

int typmod(lua_State *L) {
    lua_pushinteger(L, check_type(L, 1)->typmod);
    return 1;
}

// The type of the column of a row type that the key at 2, a name or number, says.
// Errors: lua (42703).
int column_type(lua_State *L, const Type *type) {
    if (type->oid == RECORDOID) return 0;
    push_shape_of_type(L, type->oid, -1);
    const Shape *shape = push_shape_data(L, -1);
    int whole = 0;
    const lua_Integer number = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &whole) : 0;
    const char *text = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : nullptr;
    if (text == nullptr && !whole) luaL_typeerror(L, 2, "name or number of a column");
    for (int i = 0; i < shape->descriptor->natts; i++) {
        const Type *column = shape->columns[i].type;
        const char *known = NameStr(TupleDescAttr(shape->descriptor, i)->attname);
        if (column == nullptr || (text != nullptr ? strcmp(known, text) != 0 : i + 1 != number))
            continue;
        push_type_object(L, column);
        return 1;
    }
    lua::raise(L, "42703", "type has no column %s", luaL_tolstring(L, 2, nullptr));
}

// element() of arrays and ranges, element(column) of row types.
int element(lua_State *L) {
    lua_settop(L, 2);
    const Type *type = check_type(L, 1);
    while (is_domain(type)) type = type->inner;
    if (type->family == &kCompositeFamily) return column_type(L, type);
    if (!lua_isnoneornil(L, 2)) luaL_argerror(L, 2, "only row types have columns");
    if (!OidIsValid(type->element_oid)) return 0;
    push_type_object(L, element_of(L, type));
    return 1;
}

int equal(lua_State *L) {
    const TypeObject *left = lua::to_userdata<TypeObject>(L, 1, kTypeObject);
    const TypeObject *right = lua::to_userdata<TypeObject>(L, 2, kTypeObject);
    lua_pushboolean(L, left != nullptr && right != nullptr && left->type->oid == right->type->oid &&
                           left->type->typmod == right->type->typmod);
    return 1;
}

// What names meant when they were last looked up. Strings are malloc'ed:
// they outlive every context.
struct NameEpoch {
    lua_Integer number;
    uint64 generation;
    Oid user;
    char *search_path;
};
NameEpoch epoch;

// A number that changes when a name may mean another type than before. Errors: none.
lua_Integer name_epoch() {
    const bool same = epoch.search_path != nullptr && epoch.generation == catalog_generation() &&
                      epoch.user == GetUserId() &&
                      strcmp(epoch.search_path, namespace_search_path) == 0;
    if (same) return epoch.number;
    free(epoch.search_path);
    epoch.search_path = strdup(namespace_search_path);
    epoch.generation = catalog_generation();
    epoch.user = GetUserId();
    return ++epoch.number;
}

// So many names are remembered.
constexpr lua_Integer kMostNames = 1000;

// Pushes the table of names already looked up; its element 0 is the epoch it belongs to, element 1
// how many there are.
void push_names(lua_State *L, const char *key) {
    const lua_Integer now = name_epoch();
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) {
        lua_rawgeti(L, -1, 0);
        lua_rawgeti(L, -2, 1);
        const bool valid = lua_tointeger(L, -2) == now && lua_tointeger(L, -1) < kMostNames;
        lua_pop(L, 2);
        if (valid) return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushinteger(L, now);
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

// False where there is no type of that name. Call inside pg::call. Errors: pg (42601).
bool exists(const char *text) {
    LOCAL_FCINFO(call, 1);
    InitFunctionCallInfoData(*call, nullptr, 1, InvalidOid, nullptr, nullptr);
    call->args[0].value = PointerGetDatum(cstring_to_text(text));
    call->args[0].isnull = false;
    (void)to_regtype(call);
    return !call->isnull;
}

// Finds the type of a name; InvalidOid when there is none, which is an error where it is required.
// Call inside pg::call. Errors: pg (42704, 42601).
void parse_name(const char *text, bool array, bool required, Oid *type, int32 *modifier) {
    const Scratch scratch = enter_scratch();
    if (required || exists(text)) pg::parse_type_name(text, type, modifier);
    // `bit` and `char` alone mean length 1 in SQL, which nobody who writes pgtype.bit '101' means.
    if (strchr(text, '(') == nullptr) *modifier = -1;
    if (array && OidIsValid(*type)) *type = get_array_type(*type);
    leave_scratch(scratch);
    end_scratch(scratch);
}

// Pushes the type of the SQL name at idx, or of arrays of it; nothing when there is none.
// Errors: lua (42704, 42601).
int push_named(lua_State *L, int idx, bool array, bool required) {
    push_names(L, array ? &kArrayNames : &kNames);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
    lua_pop(L, 1);
    size_t length;
    const char *text = checked_string(L, idx, &length);
    Oid type = InvalidOid;
    int32 modifier = -1;
    pg::call_own_subxact(L, [&] { parse_name(text, array, required, &type, &modifier); });
    if (!OidIsValid(type)) return 0;
    push_type_object(L, find(L, type, modifier));
    lua_pushvalue(L, idx);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_rawgeti(L, -2, 1);
    lua_pushinteger(L, lua_tointeger(L, -1) + 1);
    lua_rawseti(L, -4, 1);
    lua_pop(L, 1);
    return 1;
}

int push_argument_type(lua_State *L, int idx) {
    const Oid type = hooks.argument_type(static_cast<int>(luaL_checkinteger(L, idx)));
    if (!OidIsValid(type))
        lua::raise(L, "22023",
                   OidIsValid(hooks.argument_type(0)) ? "argument index out of range"
                                                      : "not in a function");
    push_type_object(L, find(L, type, -1));
    return 1;
}

// pgtype(value [, name or argument number])
int call(lua_State *L) {
    lua_settop(L, 3);
    const DatumObject *object = object_at(L, 2);
    if (object != nullptr) {
        push_type_object(L, object->type);
        return 1;
    }
    if (is_row(L, 2)) {
        const TupleDesc descriptor = push_shape_of_row(L, 2)->descriptor;
        push_type_object(L, find(L, descriptor->tdtypeid, -1));
        return 1;
    }
    if (lua_isnil(L, 3)) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_type(L, 3) == LUA_TSTRING) return push_named(L, 3, false, true);
    return push_argument_type(L, 3);
}

template <bool kArray> int index(lua_State *L) {
    return lua_type(L, 2) == LUA_TSTRING ? push_named(L, 2, kArray, false) : 0;
}

constexpr luaL_Reg kMethods[] = {
    {"fromstring", from_string},
    {"frombinary", from_binary},
    {"name", name},
    {"element", element},
    {"oid", oid},
    {"typmod", typmod},
    {nullptr, nullptr},
};

constexpr luaL_Reg kTypeMetamethods[] = {
    {"__call", construct},
    {"__tostring", name},
    {"__eq", equal},
    {nullptr, nullptr},
};

// Gives the table on top a metatable with an __index, and a __call when there is one.
void set_index(lua_State *L, lua_CFunction index_function, lua_CFunction call_function) {
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, index_function);
    lua_setfield(L, -2, "__index");
    if (call_function != nullptr) {
        lua_pushcfunction(L, call_function);
        lua_setfield(L, -2, "__call");
    }
    lua::set_boolean(L, "__metatable", true);
    lua_setmetatable(L, -2);
}

} // namespace

int open_pgtype(lua_State *L) {
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kObjects);
    if (lua::new_metatable(L, kTypeObject)) {
        luaL_setfuncs(L, kTypeMetamethods, 0);
        luaL_newlib(L, kMethods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    set_index(L, index<true>, nullptr);
    lua_setfield(L, -2, "array");
    set_index(L, index<false>, call);
    return 1;
}

int open_time(lua_State *L) {
    lua_newtable(L);
    return 1;
}

} // namespace pllua_bg::types
