// Composite and record datums as rows, and rows as composite datums. Owns nothing.
#include "types/cast.h"
#include "types/datum_object.h"
#include "types/shape.h"

#include "lua/state.h"
#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

HeapTupleData tuple_of_header(HeapTupleHeader header) {
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    ItemPointerSetInvalid(&tuple.t_self);
    tuple.t_data = header;
    return tuple;
}

// The composite datum of a tuple; blesses an anonymous descriptor.
// Call inside pg::call. Errors: pg.
Datum datum_of(HeapTuple tuple, TupleDesc descriptor) {
    if (descriptor->tdtypeid == RECORDOID && descriptor->tdtypmod < 0)
        descriptor = BlessTupleDesc(descriptor);
    return heap_copy_tuple_as_datum(tuple, descriptor);
}

// A record of no declared type: only a row can say what it is made of.
Datum record_from_lua(lua_State *L, int idx, const Type *type) {
    const Shape *shape = push_shape_of_row(L, idx);
    if (shape == nullptr) return generic_from_lua(L, idx, type);
    TupleDesc descriptor = shape->descriptor;
    HeapTuple tuple = to_tuple(L, idx, descriptor, false);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = datum_of(tuple, descriptor); });
    heap_freetuple(tuple);
    lua_pop(L, 1);
    return value;
}

void composite_to_lua(lua_State *L, const Type *type, Datum value) {
    const auto *raw = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    HeapTupleHeader header = nullptr;
    // Values in table columns have short headers or are compressed; a copy is made in memory of
    // those that an older server has stored without the mark that they are composite.
    const auto get = [&] { header = DatumGetHeapTupleHeader(value); };
    if (VARATT_IS_EXTENDED(raw))
        pg::call_own_subxact(L, get);
    else
        pg::call_no_subxact(L, get);
    lua::need_stack(L, 12);
    const Oid oid = HeapTupleHeaderGetTypeId(header);
    push_shape_of_type(L, oid, oid == RECORDOID ? HeapTupleHeaderGetTypMod(header) : -1,
                       oid == type->oid ? type->cache : nullptr);
    HeapTupleData tuple = tuple_of_header(header);
    push_row_of_tuple(L, lua_gettop(L), &tuple);
    lua_remove(L, -2);
    if (static_cast<void *>(header) != raw) pfree(header);
}

Datum composite_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE) return generic_from_lua(L, idx, type);
    if (type->oid == RECORDOID) return record_from_lua(L, idx, type);
    push_shape_of_type(L, type->oid, -1);
    TupleDesc descriptor = push_shape_data(L, -1)->descriptor;
    HeapTuple tuple = to_tuple(L, idx, descriptor, true);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = datum_of(tuple, descriptor); });
    heap_freetuple(tuple);
    lua_pop(L, 2);
    return value;
}

void complete(Type *type, Form_pg_type) {
    if (type->oid != RECORDOID) type->cache = lookup_type_cache(type->oid, TYPECACHE_TUPDESC);
}

} // namespace

const Family kCompositeFamily = {.to_lua = composite_to_lua,
                                 .from_lua = composite_from_lua,
                                 .takes_tables = true,
                                 .complete = complete};

} // namespace pllua_bg::types
