// Ranges: the pseudo-fields of a range object, and their construction from bounds. Owns nothing.
#include "types/cast.h"
#include "types/shape.h"

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

constexpr const char *kFields[] = {"lower",     "upper",     "lower_inc", "upper_inc",
                                   "lower_inf", "upper_inf", "isempty"};

// A table says what a range is by the pseudo-fields of one, or by its bounds as a sequence: lower,
// upper, flags. Errors: lua (42804 for a table that says nothing, or anything else).
bool is_sequence(lua_State *L, int idx, const Type *type) {
    int named = 0, placed = 0, count = 0;
    const lua_Integer length = highest_index(L, idx);
    for (const char *field : kFields) {
        named += lua_getfield(L, idx, field) != LUA_TNIL;
        lua_pop(L, 1);
    }
    for (lua_Integer i = 1; i <= Min(length, 3); i++) {
        placed += lua_geti(L, idx, i) != LUA_TNIL;
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        count++;
        lua_pop(L, 1);
    }
    if ((named == 0) == (placed == 0) || count > named + placed) mismatch(L, idx, type);
    return placed > 0;
}

Datum range_of_sequence(lua_State *L, int idx, const Type *type) {
    Datum value;
    const lua_Integer length = highest_index(L, idx);
    for (int i = 1; i <= 3; i++)
        if (i <= length)
            lua_geti(L, idx, i);
        else
            lua_pushnil(L);
    (void)construct(L, type, lua_gettop(L) - 2, 3, &value);
    lua_pop(L, 3);
    return value;
}

// The bound in a field, absent when the other field says so. Errors: lua.
void read_bound(lua_State *L, int idx, const Type *element, const char *field, const char *infinite,
                RangeBound *bound) {
    if (lua_getfield(L, idx, infinite), lua_toboolean(L, -1))
        lua_pushnil(L);
    else
        lua_getfield(L, idx, field);
    bound->val = to_datum(L, -1, element, &bound->infinite);
    lua_pop(L, 2);
}

Datum range_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE || is_row(L, idx)) return generic_from_lua(L, idx, type);
    lua::check_stack(L);
    lua::need_stack(L, 14);
    if (is_sequence(L, idx, type)) return range_of_sequence(L, idx, type);
    RangeBound lower = {}, upper = {};
    lua_getfield(L, idx, "isempty");
    const bool empty = lua_toboolean(L, -1);
    lower.inclusive = lua_getfield(L, idx, "lower_inc") == LUA_TNIL || lua_toboolean(L, -1);
    lua_getfield(L, idx, "upper_inc");
    upper.inclusive = lua_toboolean(L, -1);
    const Type *element = element_of(L, type);
    lua_pop(L, 3);
    read_bound(L, idx, element, "lower", "lower_inf", &lower);
    read_bound(L, idx, element, "upper", "upper_inf", &upper);
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
