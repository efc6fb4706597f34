// From the values of a Lua function to the result of an SQL function.
// See result.h for the contracts.
#include "pl/result.h"

extern "C" {
#include "catalog/pg_proc.h"
}

#include "lua/error.h"
#include "lua/stack.h"
#include "pg/compat_rows.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pl/aggregate.h"
#include "types/shape.h"

namespace pllua_bg::pl {

namespace {

void resolve_columns(Result *result, TupleDesc descriptor) {
    result->kind = ResultKind::kRow;
    result->descriptor = BlessTupleDesc(CreateTupleDescCopy(descriptor));
    const auto natts = static_cast<size_t>(descriptor->natts);
    result->columns = static_cast<const types::Type **>(palloc0(sizeof(void *) * (natts + 1)));
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        result->columns[i] = types::lookup(column->atttypid, column->atttypmod);
        result->ncolumns++;
    }
}

void resolve_scalar(Result *result) {
    if (result->type_oid == VOIDOID) {
        result->kind = ResultKind::kVoid;
        return;
    }
    result->kind = ResultKind::kScalar;
    result->type = types::lookup(result->type_oid, -1);
    result->plain = types::is_plain(result->type);
    result->constructed = types::is_constructed(result->type);
}

[[noreturn]] void raise_count(lua_State *L, int count, int wanted) {
    lua::raise(L, "42804", "the function returned %d %s where %d %s expected", count,
               count == 1 ? "value" : "values", wanted, wanted == 1 ? "was" : "were");
}

Datum scalar_from_lua(lua_State *L, int first, int count, const Result *result, bool *isnull) {
    if (result->constructed && (count > 1 || (count == 1 && !lua_isnil(L, first))))
        return types::construct(L, first, count, result->type, isnull);
    if (count > 1) {
        raise_count(L, count, 1);
    } else if (count == 0) {
        lua_pushnil(L);
        first = lua_gettop(L);
    }
    return types::to_datum(L, first, result->type, isnull);
}

// Pushes the columns of a row; how many.
int spread_row(lua_State *L, int row) {
    const types::Shape *shape = types::push_shape_of_row(L, row);
    lua::need_stack(L, shape->live + 4);
    for (int i = 0; i < shape->descriptor->natts; i++)
        if (shape->columns[i].type != nullptr) types::push_column(L, row, i);
    return shape->live;
}

Datum check_domain(lua_State *L, Result *result, Datum value, bool isnull) {
    pg::call_own_subxact(L, [=] {
        domain_check(value, isnull, result->type_oid, &result->domain_state, result->memory);
    });
    return value;
}

// The values of the columns; false when the row is NULL.
bool take_values(lua_State *L, int first, int count, const Result *result, Datum *values,
                 bool *nulls) {
    if (!are_columns(L, &first, &count, result))
        return count == 1 &&
               types::take_row(L, first, result->descriptor, result->columns, true, values, nulls);
    take_columns(L, first, count, result, values, nulls);
    return true;
}

Datum row_from_lua(lua_State *L, int first, int count, Result *result, bool *isnull) {
    const auto natts = static_cast<size_t>(result->descriptor->natts);
    auto *values = static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * natts));
    auto *nulls = static_cast<bool *>(__builtin_alloca(natts));
    Datum value = 0;
    *isnull = !take_values(L, first, count, result, values, nulls);
    if (!*isnull)
        pg::call_own_subxact(L, [&] {
            value = HeapTupleGetDatum(heap_form_tuple(result->descriptor, values, nulls));
        });
    return result->is_domain ? check_domain(L, result, value, *isnull) : value;
}

// A record of several values has the values' own types.
Datum take_record(lua_State *L, int first, int count, const Result *result, bool *isnull) {
    if (count <= 1) return scalar_from_lua(L, first, count, result, isnull);
    auto *values =
        static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * static_cast<size_t>(count)));
    auto *nulls = static_cast<bool *>(__builtin_alloca(static_cast<size_t>(count)));
    auto *oids = static_cast<Oid *>(__builtin_alloca(sizeof(Oid) * static_cast<size_t>(count)));
    if (count > MaxTupleAttributeNumber) raise_count(L, count, MaxTupleAttributeNumber);
    for (int i = 0; i < count; i++) {
        bool weak;
        const types::Type *type = nullptr;
        oids[i] = types::own_type(L, first + i, &weak);
        if (!OidIsValid(oids[i]) || oids[i] == UNKNOWNOID) oids[i] = TEXTOID;
        pg::call_own_subxact(L, [&] { type = types::lookup(oids[i], -1); });
        values[i] = types::to_datum(L, first + i, type, &nulls[i]);
    }
    Datum value = 0;
    pg::call_own_subxact(L, [&] {
        TupleDesc descriptor = CreateTemplateTupleDesc(count);
        for (int i = 0; i < count; i++) {
            char name[NAMEDATALEN];
            pg_snprintf(name, sizeof(name), "f%d", i + 1);
            TupleDescInitEntry(descriptor, static_cast<AttrNumber>(i + 1), name, oids[i], -1, 0);
        }
        pg::finish_descriptor(descriptor);
        BlessTupleDesc(descriptor);
        value = HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
    });
    *isnull = false;
    return value;
}

} // namespace

void resolve_result(FunctionCallInfo fcinfo, Result *result, MemoryContext memory) {
    MemoryContext outer = MemoryContextSwitchTo(memory);
    TupleDesc descriptor = nullptr;
    *result = {};
    result->memory = memory;
    switch (get_call_result_type(fcinfo, &result->type_oid, &descriptor)) {
    case TYPEFUNC_SCALAR: resolve_scalar(result); break;
    case TYPEFUNC_COMPOSITE_DOMAIN:
        result->is_domain = true;
        resolve_columns(result, descriptor);
        break;
    case TYPEFUNC_COMPOSITE: resolve_columns(result, descriptor); break;
    case TYPEFUNC_RECORD:
        result->kind = ResultKind::kRecord;
        result->type = types::lookup(RECORDOID, -1);
        break;
    default:
        result->kind = ResultKind::kState;
        if (result->type_oid == INTERNALOID) break;
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("Lua functions cannot return type %s", format_type_be(result->type_oid))));
    }
    MemoryContextSwitchTo(outer);
}

bool are_columns(lua_State *L, int *first, int *count, const Result *result) {
    if (*count != 1) return *count > 1;
    if (result->by_position && types::is_row(L, *first)) {
        *count = spread_row(L, *first);
        *first = lua_gettop(L) - *count + 1;
        return true;
    }
    switch (lua_type(L, *first)) {
    case LUA_TNIL:
    case LUA_TTABLE: return false;
    case LUA_TUSERDATA: return result->ncolumns == 1;
    default: return true;
    }
}

void take_columns(lua_State *L, int first, int count, const Result *result, Datum *values,
                  bool *nulls) {
    if (count != result->ncolumns) raise_count(L, count, result->ncolumns);
    int value = first;
    for (int i = 0; i < result->descriptor->natts; i++) {
        if (result->columns[i] == nullptr) {
            values[i] = 0;
            nulls[i] = true;
            continue;
        }
        values[i] = types::to_datum(L, value++, result->columns[i], &nulls[i]);
    }
}

Datum take_result(lua_State *L, int first, int count, Result *result, bool *isnull) {
    pg::fault("take-result");
    switch (result->kind) {
    case ResultKind::kVoid: *isnull = false; return 0;
    case ResultKind::kScalar: return scalar_from_lua(L, first, count, result, isnull);
    case ResultKind::kRow: return row_from_lua(L, first, count, result, isnull);
    case ResultKind::kRecord: return take_record(L, first, count, result, isnull);
    case ResultKind::kState:
        if (count > 1) raise_count(L, count, 1);
        if (count == 0) lua_pushnil(L);
        return take_state(L, count == 0 ? lua_gettop(L) : first, isnull);
    }
    pg_unreachable();
}

} // namespace pllua_bg::pl
