// The rows of a set in a tuplestore. See row_store.h for the contracts.
#include "pl/row_store.h"

extern "C" {
#include "executor/executor.h"
#include "utils/tuplestore.h"
}

#include "pg/compat_rows.h"
#include "pg/guard.h"

namespace pllua_bg::pl {

namespace {

TupleDesc describe_store(const Result *result, const char *name) {
    if (result->kind == ResultKind::kRow) return CreateTupleDescCopy(result->descriptor);
    if (result->kind == ResultKind::kRecord)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("function returning record called in context that cannot accept type "
                        "record")));
    TupleDesc descriptor = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(descriptor, 1, name, result->type_oid, -1, 0);
    pg::finish_descriptor(descriptor);
    return descriptor;
}

void store_values(lua_State *L, RowStore *store, Datum *values, bool *nulls) {
    // A failure of the tuplestore is no error that Lua code may catch: no subtransaction for it.
    pg::call_no_subxact(L, [=] {
        tuplestore_putvalues(store->tuples, store->descriptor, values, nulls);
        MemoryContextResetOnly(store->row_memory);
    });
}

void store_tuple(lua_State *L, RowStore *store, HeapTuple tuple) {
    pg::call_no_subxact(L, [=] {
        tuplestore_puttuple(store->tuples, tuple);
        MemoryContextResetOnly(store->row_memory);
    });
}

void store_nulls(lua_State *L, RowStore *store, Datum *values, bool *nulls) {
    const auto natts = static_cast<size_t>(store->descriptor->natts);
    memset(values, 0, sizeof(Datum) * natts);
    memset(nulls, 1, natts);
    store_values(L, store, values, nulls);
}

// A row of a domain is checked as a whole.
bool store_domain(lua_State *L, RowStore *store, int first, int count) {
    bool isnull;
    const Datum value = take_result(L, first, count, store->result, &isnull);
    if (isnull) return false;
    HeapTupleHeader header = nullptr;
    pg::call_no_subxact(L, [&] { header = DatumGetHeapTupleHeader(value); });
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    store_tuple(L, store, &tuple);
    return true;
}

void store_row(lua_State *L, RowStore *store, int first, int count) {
    Result *result = store->result;
    const auto natts = static_cast<size_t>(store->descriptor->natts);
    auto *values = static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * natts));
    auto *nulls = static_cast<bool *>(__builtin_alloca(natts));
    if (result->is_domain) {
        if (!store_domain(L, store, first, count)) store_nulls(L, store, values, nulls);
    } else if (are_columns(L, &first, &count, result)) {
        take_columns(L, first, count, result, values, nulls);
        store_values(L, store, values, nulls);
    } else if (count == 0 || lua_isnil(L, first)) {
        store_nulls(L, store, values, nulls);
    } else {
        types::take_row(L, first, result->descriptor, result->columns, true, values, nulls);
        store_values(L, store, values, nulls);
    }
}

// Keeps a row until there are more.
void keep_plain(lua_State *L, RowStore *store, int count) {
    Result *result = store->result;
    Datum *value = &store->values[store->kept];
    bool *isnull = &store->nulls[store->kept];
    if (!take_plain_result(L, 1, count, result, value, isnull))
        *value = take_result(L, 1, count, result, isnull);
    if (++store->kept < RowStore::kMostKept) return;
    pg::call_no_subxact(L, [=] {
        store_kept_rows(store);
        MemoryContextResetOnly(store->row_memory);
    });
}

} // namespace

void open_row_store(RowStore *store, Result *result, const char *name, bool random) {
    store->result = result;
    store->tuples = tuplestore_begin_heap(random, false, work_mem);
    store->descriptor = describe_store(result, name);
    store->kept = 0;
}

void store_kept_rows(RowStore *store) {
    for (int i = 0; i < store->kept; i++)
        tuplestore_putvalues(store->tuples, store->descriptor, &store->values[i], &store->nulls[i]);
    store->kept = 0;
}

void put_row(lua_State *L, RowStore *store, int count) {
    if (store->result->kind == ResultKind::kRow) {
        store_row(L, store, 1, count);
        return;
    }
    if (store->result->plain) {
        keep_plain(L, store, count);
        return;
    }
    bool isnull;
    Datum value = take_result(L, 1, count, store->result, &isnull);
    store_values(L, store, &value, &isnull);
}

} // namespace pllua_bg::pl
