// Calls of the functions of transforms. See transform.h for the contracts.
#include "pl/transform.h"

#include "lua/error.h"
#include "lua/stack.h"
#include "pg/guard.h"
#include "pl/bound_value.h"

extern "C" {
#include "utils/datum.h"
}

namespace pllua_bg::pl {

namespace {

struct TransformCall {
    FunctionCallInfo fcinfo;
    MemoryContext memory;
};
TransformCall current;

// Calls the function with the value on top, which is popped. What it makes is in `memory`, which an
// error takes with it.
Datum call_transform(lua_State *L, const FmgrInfo *function, MemoryContext memory, bool *isnull) {
    BoundValue *place = bind_value(L, memory);
    Datum result = 0;
    const TransformCall outer = current;
    pg::call_own_subxact(L, [&] {
        LOCAL_FCINFO(fcinfo, 1);
        InitFunctionCallInfoData(*fcinfo, const_cast<FmgrInfo *>(function), 1, InvalidOid, nullptr,
                                 nullptr);
        fcinfo->args[0].value = PointerGetDatum(place);
        fcinfo->args[0].isnull = false;
        current = {fcinfo, memory};
        ErrorData *error = pg::attempt([&] {
            MemoryContextSwitchTo(memory);
            result = FunctionCallInvoke(fcinfo);
        });
        current = outer;
        if (error != nullptr) {
            MemoryContextDelete(memory);
            pg::rethrow(error);
        }
        *isnull = fcinfo->isnull;
    });
    return result;
}

MemoryContext make_memory(lua_State *L) {
    MemoryContext memory = nullptr;
    pg::call_no_subxact(L, [&memory] {
        memory =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg transform", ALLOCSET_SMALL_SIZES);
    });
    return memory;
}

} // namespace

MemoryContext transform_memory(FunctionCallInfo fcinfo) {
    return fcinfo != nullptr && fcinfo == current.fcinfo ? current.memory : nullptr;
}

void transform_from_sql(lua_State *L, const FmgrInfo *function) {
    lua::need_stack(L, 8);
    MemoryContext memory = make_memory(L);
    bool isnull;
    const Datum result = call_transform(L, function, memory, &isnull);
    if (isnull)
        lua_pushnil(L);
    else
        push_bound_value(L, DatumGetPointer(result));
    MemoryContextDelete(memory);
}

Datum transform_to_sql(lua_State *L, int idx, const FmgrInfo *function, Oid type) {
    lua::need_stack(L, 8);
    MemoryContext outer = CurrentMemoryContext;
    MemoryContext memory = make_memory(L);
    lua_pushvalue(L, idx);
    bool isnull;
    Datum result = call_transform(L, function, memory, &isnull);
    if (isnull) {
        MemoryContextDelete(memory);
        lua::raise(L, "22004", "the transform of a value to SQL has returned NULL");
    }
    pg::call_no_subxact(L, [&] {
        int16 length;
        bool by_value;
        get_typlenbyval(type, &length, &by_value);
        MemoryContextSwitchTo(outer);
        result = datumCopy(result, by_value, length);
    });
    MemoryContextDelete(memory);
    return result;
}

} // namespace pllua_bg::pl
