// Multiranges, which are made of ranges. Owns nothing.
#include "types/cast.h"
#include "types/shape.h"

#include "lua/interrupt.h"
#include "pg/guard.h"

extern "C" {
#include "utils/array.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
}

namespace pllua_bg::types {

namespace {

// A sequence of ranges, each as its own type takes it.
Datum multirange_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE || is_row(L, idx)) return generic_from_lua(L, idx, type);
    lua::check_stack(L);
    const Type *element = element_of(L, type);
    const lua_Integer count = highest_index(L, idx);
    if (count > static_cast<lua_Integer>(MaxArraySize))
        lua::raise(L, "54000", "too many ranges for a multirange");
    const Size size = sizeof(RangeType *) * static_cast<Size>(Max(count, 1));
    auto **ranges = static_cast<RangeType **>(lua_newuserdatauv(L, size, 0));
    for (lua_Integer i = 0; i < count; i++) {
        bool isnull;
        lua::check_interrupt(L);
        lua_geti(L, idx, i + 1);
        const Datum range = to_datum(L, -1, element, &isnull);
        if (isnull) lua::raise(L, "22004", "multirange values cannot contain null members");
        ranges[i] = reinterpret_cast<RangeType *>(DatumGetPointer(range));
        lua_pop(L, 1);
    }
    Datum value = 0;
    pg::call_own_subxact(L, [&] {
        value = MultirangeTypePGetDatum(
            make_multirange(type->oid, type->cache->rngtype, static_cast<int>(count), ranges));
    });
    for (lua_Integer i = 0; i < count; i++) pfree(ranges[i]);
    lua_pop(L, 1);
    return value;
}

// Any number of ranges; a single value may be the whole.
bool construct(lua_State *L, const Type *type, int first, int count, Datum *value) {
    if (count == 1) return false;
    push_list(L, first, count);
    *value = multirange_from_lua(L, lua_gettop(L), type);
    lua_pop(L, 1);
    return true;
}

void complete(Type *type, Form_pg_type) {
    type->cache = lookup_type_cache(type->oid, TYPECACHE_MULTIRANGE_INFO);
    type->element_oid = type->cache->rngtype->type_id;
}

} // namespace

const Family kMultirangeFamily = {.to_lua = push_object,
                                  .from_lua = multirange_from_lua,
                                  .takes_tables = true,
                                  .complete = complete,
                                  .construct = construct,
                                  .object_name = "multirange"};

} // namespace pllua_bg::types
