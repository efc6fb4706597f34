// Ranges: the pseudo-fields of a range object, and their construction from bounds. Owns nothing.
#include "types/cast.h"

#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "utils/datum.h"
#include "utils/rangetypes.h"
}

namespace pllua_bg::types {

namespace {

struct Bounds {
    RangeBound lower;
    RangeBound upper;
    bool empty;
};

void push_bound(lua_State *L, const Type *type, const Bounds &bounds, const RangeBound &bound) {
    if (bounds.empty || bound.infinite)
        lua_pushnil(L);
    else
        push(L, element_of(L, type), bound.val, false);
}

int index(lua_State *L) {
    const DatumObject *object = check_object(L, 1, kRangeFamily);
    if (lua_type(L, 2) != LUA_TSTRING) return 0;
    const Type *type = object->type;
    Bounds bounds = {};
    pg::call_own_subxact(L, [&] {
        range_deserialize(type->cache, DatumGetRangeTypeP(object->value), &bounds.lower,
                          &bounds.upper, &bounds.empty);
    });
    const char *name = lua_tostring(L, 2);
    if (strcmp(name, "lower") == 0)
        push_bound(L, type, bounds, bounds.lower);
    else if (strcmp(name, "upper") == 0)
        push_bound(L, type, bounds, bounds.upper);
    else if (strcmp(name, "lower_inc") == 0)
        lua_pushboolean(L, !bounds.empty && bounds.lower.inclusive);
    else if (strcmp(name, "upper_inc") == 0)
        lua_pushboolean(L, !bounds.empty && bounds.upper.inclusive);
    else if (strcmp(name, "lower_inf") == 0)
        lua_pushboolean(L, !bounds.empty && bounds.lower.infinite);
    else if (strcmp(name, "upper_inf") == 0)
        lua_pushboolean(L, !bounds.empty && bounds.upper.infinite);
    else if (strcmp(name, "isempty") == 0)
        lua_pushboolean(L, bounds.empty);
    else
        return 0;
    return 1;
}

// Reads "[)" and its kin. Errors: lua.
void read_inclusion(lua_State *L, int idx, RangeBound *lower, RangeBound *upper) {
    const char *text = luaL_optstring(L, idx, "[)");
    const bool valid =
        strlen(text) == 2 && strchr("[(", text[0]) != nullptr && strchr("])", text[1]) != nullptr;
    if (!valid) lua::raise(L, "22000", "invalid range bound flags");
    lower->inclusive = text[0] == '[';
    upper->inclusive = text[1] == ']';
}

Datum make(lua_State *L, const Type *type, RangeBound *lower, RangeBound *upper, bool empty) {
    Datum value = 0;
    lower->lower = true;
    upper->lower = false;
    pg::call_own_subxact(L, [&] {
        const Scratch scratch = enter_scratch();
        const RangeType *range = pg::new_range(type->cache, lower, upper, empty);
        leave_scratch(scratch);
        value = datumCopy(RangeTypePGetDatum(range), false, -1);
        end_scratch(scratch);
    });
    return value;
}

void add_metamethods(lua_State *L) {
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
}

// None for the empty range, else lower, upper and optional bound flags; nil is an infinite bound.
bool construct(lua_State *L, const Type *type, int first, int count, Datum *value) {
    RangeBound lower = {}, upper = {};
    if (count == 1) return false;
    if (count > 3) wrong_argument_count(L, 3, count);
    if (count > 0) {
        const Type *element = element_of(L, type);
        read_inclusion(L, first + 2, &lower, &upper);
        lower.val = to_datum(L, first, element, &lower.infinite);
        upper.val = to_datum(L, first + 1, element, &upper.infinite);
    }
    *value = make(L, type, &lower, &upper, count == 0);
    return true;
}

Datum range_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE) return generic_from_lua(L, idx, type);
    lua::check_stack(L);
    // A table with the pseudo-fields of a range object.
    RangeBound lower = {}, upper = {};
    lua_getfield(L, idx, "isempty");
    const bool empty = lua_toboolean(L, -1);
    lower.inclusive = lua_getfield(L, idx, "lower_inc") == LUA_TNIL || lua_toboolean(L, -1);
    lua_getfield(L, idx, "upper_inc");
    upper.inclusive = lua_toboolean(L, -1);
    const Type *element = element_of(L, type);
    lua_getfield(L, idx, "lower");
    lower.val = to_datum(L, -1, element, &lower.infinite);
    lua_getfield(L, idx, "upper");
    upper.val = to_datum(L, -1, element, &upper.infinite);
    lua_pop(L, 5);
    return make(L, type, &lower, &upper, empty);
}

void complete(Type *type, Form_pg_type) {
    type->cache = lookup_type_cache(type->oid, TYPECACHE_RANGE_INFO);
    type->element_oid = type->cache->rngelemtype->type_id;
}

} // namespace

const Family kRangeFamily = {.to_lua = push_object,
                             .from_lua = range_from_lua,
                             .takes_tables = true,
                             .complete = complete,
                             .construct = construct,
                             .object_name = "range",
                             .add_metamethods = add_metamethods};

} // namespace pllua_bg::types
