// Datum objects: making them, comparing them, turning them into text and back into datums.
// Owns the metatables of datum objects, in the registry under the address of their plan.
#include "types/datum_object.h"

#include "lua/fields.h"
#include "pg/cast.h"
#include "pg/guard.h"

extern "C" {
#include "access/detoast.h"
#include "utils/datum.h"
}

namespace pllua_bg::types {

namespace {

const char kMark = 0; // its address is the key in the metatables of all datum objects

Size header_size(const Type *type) {
    return MAXALIGN(Max(type->family->object_size, sizeof(DatumObject)));
}

Size value_size(const Type *type, Datum value) {
    return type->by_value ? 0 : datum_size(type, value);
}

int object_to_string(lua_State *L) {
    DatumObject *object = check_object(L, 1);
    const Datum value = object_value(L, 1, object);
    push_output(L, object->type, value);
    if (value != object->value) free_value(object->type, value);
    return 1;
}

// Comparing by the server's own functions is everybody's right.
void check_right(const FmgrInfo *operation) {
    if (operation->fn_oid >= FirstNormalObjectId) pg::require_execute(operation->fn_oid);
}

void prepare_compare(const Type *type) {
    if (type->compare_known) return;
    const_cast<Type *>(type)->cache =
        lookup_type_cache(type->oid, TYPECACHE_EQ_OPR_FINFO | TYPECACHE_CMP_PROC_FINFO);
    type->compare_known = true;
}

// Both operands as objects of one type, else false. Errors: lua.
bool comparable(lua_State *L, Datum *left, Datum *right, const Type **type) {
    DatumObject *a = object_at(L, 1);
    DatumObject *b = object_at(L, 2);
    if (a == nullptr || b == nullptr || a->type->oid != b->type->oid) return false;
    *type = a->type;
    *left = object_value(L, 1, a);
    *right = object_value(L, 2, b);
    return true;
}

int object_equal(lua_State *L) {
    Datum left, right;
    const Type *type;
    bool equal = false;
    if (comparable(L, &left, &right, &type))
        pg::call_own_subxact(L, [&] {
            prepare_compare(type);
            FmgrInfo *operation = &type->cache->eq_opr_finfo;
            if (!OidIsValid(operation->fn_oid)) return;
            check_right(operation);
            equal =
                DatumGetBool(FunctionCall2Coll(operation, type->cache->typcollation, left, right));
        });
    lua_pushboolean(L, equal);
    return 1;
}

int compare(lua_State *L) {
    Datum left, right;
    const Type *type;
    int result = 0;
    bool known = false;
    if (comparable(L, &left, &right, &type))
        pg::call_own_subxact(L, [&] {
            prepare_compare(type);
            FmgrInfo *operation = &type->cache->cmp_proc_finfo;
            if (!OidIsValid(operation->fn_oid)) return;
            known = true;
            check_right(operation);
            result =
                DatumGetInt32(FunctionCall2Coll(operation, type->cache->typcollation, left, right));
        });
    if (known) return result;
    DatumObject *a = object_at(L, 1);
    DatumObject *b = object_at(L, 2);
    const char *first = a != nullptr ? push_type_name(L, a->type->oid) : luaL_typename(L, 1);
    const char *second = b != nullptr ? push_type_name(L, b->type->oid) : luaL_typename(L, 2);
    lua::raise(L, "42883", "cannot compare %s with %s", first, second);
}

int object_less(lua_State *L) {
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}

int object_less_equal(lua_State *L) {
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

constexpr luaL_Reg kCommon[] = {
    {"__tostring", object_to_string}, {"__eq", object_equal}, {"__lt", object_less},
    {"__le", object_less_equal},      {nullptr, nullptr},
};

void push_object_metatable(lua_State *L, const Type *type) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, type) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 12);
    lua_pushboolean(L, true);
    lua_rawsetp(L, -2, &kMark);
    push_type_name(L, type->oid);
    lua_setfield(L, -2, "__name");
    lua::set_boolean(L, "__metatable", true);
    luaL_setfuncs(L, kCommon, 0);
    if (type->family->add_metamethods != nullptr) type->family->add_metamethods(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, type);
}

// A value that the server has to make plain: compressed, elsewhere, expanded. A short header is
// not. Toast pointers have the bits of a short one.
bool is_toasted(Datum value) {
    return VARATT_IS_EXTERNAL(DatumGetPointer(value)) ||
           VARATT_IS_COMPRESSED(DatumGetPointer(value));
}

Datum flatten(lua_State *L, Datum value) {
    struct varlena *raw = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    Datum plain = 0;
    pg::call_own_subxact(L, [&] { plain = PointerGetDatum(detoast_attr(raw)); });
    return plain;
}

// Bytes of a value that is not toasted once its header is a long one.
Size plain_size(const Type *type, Datum value) {
    if (type->by_value) return 0;
    if (type->length != -1) return datum_size(type, value);
    return VARSIZE_ANY_EXHDR(DatumGetPointer(value)) + VARHDRSZ;
}

void copy_plain(const Type *type, char *bytes, Datum value, Size size) {
    if (type->length != -1) {
        memcpy(bytes, DatumGetPointer(value), size);
        return;
    }
    SET_VARSIZE(bytes, size);
    memcpy(VARDATA(bytes), VARDATA_ANY(DatumGetPointer(value)), size - VARHDRSZ);
}

} // namespace

void push_object(lua_State *L, const Type *type, Datum value) {
    const bool toasted = type->length == -1 && is_toasted(value);
    if (toasted) value = flatten(L, value);
    const Size header = header_size(type);
    const Size size = plain_size(type, value);
    DatumObject *object =
        static_cast<DatumObject *>(lua_newuserdatauv(L, header + size, type->family->user_values));
    object->type = type;
    object->value = value;
    if (!type->by_value) {
        char *bytes = reinterpret_cast<char *>(object) + header;
        copy_plain(type, bytes, value, size);
        object->value = PointerGetDatum(bytes);
    }
    if (toasted) pfree(DatumGetPointer(value));
    if (type->family->init_object != nullptr) type->family->init_object(object);
    push_object_metatable(L, type);
    lua_setmetatable(L, -2);
}

Size datum_size(const Type *type, Datum value) { return datumGetSize(value, false, type->length); }

DatumObject *object_at(lua_State *L, int idx) {
    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx)) return nullptr;
    lua_rawgetp(L, -1, &kMark);
    const bool marked = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return marked ? static_cast<DatumObject *>(lua_touserdata(L, idx)) : nullptr;
}

DatumObject *check_object(lua_State *L, int idx) {
    DatumObject *object = object_at(L, idx);
    if (object == nullptr) luaL_typeerror(L, idx, "datum");
    return object;
}

DatumObject *check_object(lua_State *L, int idx, const Family &family) {
    DatumObject *object = object_at(L, idx);
    if (object == nullptr || object->type->family != &family)
        luaL_typeerror(L, idx, family.object_name);
    return object;
}

Datum object_value(lua_State *L, int idx, DatumObject *object) {
    const Family *family = object->type->family;
    return family->object_value != nullptr ? family->object_value(L, idx, object) : object->value;
}

Datum copy_value(lua_State *L, const Type *type, Datum value) {
    if (type->by_value) return value;
    const Size size = value_size(type, value);
    void *copy = allocate(L, size);
    memcpy(copy, DatumGetPointer(value), size);
    return PointerGetDatum(copy);
}

} // namespace pllua_bg::types
