// States of aggregates. See aggregate.h for the contracts.
#include "pl/aggregate.h"

#include "lua/error.h"
#include "pl/bound_value.h"
#include "pl/call_site.h"
#include "pl/transform.h"

namespace pllua_bg::pl {

namespace {

// The place of the state that the running function has as an argument; nullptr when it has none.
// Since the argument was pushed the pointer is known to be ours.
const BoundValue *given_place(const CallSite *site, FunctionCallInfo fcinfo) {
    for (int i = 0; i < site->nargs; i++) {
        const Argument &argument = site->arguments[i];
        const NullableDatum &value = fcinfo->args[argument.index];
        auto *place = reinterpret_cast<const BoundValue *>(DatumGetPointer(value.value));
        if (argument.type == nullptr && !value.isnull && place != nullptr) return place;
    }
    return nullptr;
}

} // namespace

void push_state(lua_State *L, Datum value, bool isnull) {
    // A function that reads a state from bytes is given a null pointer beside them.
    if (isnull || DatumGetPointer(value) == nullptr) {
        lua_pushnil(L);
        return;
    }
    push_bound_value(L, DatumGetPointer(value));
    if (!lua_isnil(L, -1)) return;
    lua::ErrorFields fields = {};
    fields.sqlstate = "0A000";
    fields.message = "a value of type internal is not a state of this Lua interpreter";
    fields.hint = "All functions of an aggregate have to be of the same language and run as the "
                  "same user.";
    lua::raise_fields(L, fields);
}

Datum take_state(lua_State *L, int idx, bool *isnull) {
    *isnull = lua_isnil(L, idx);
    if (*isnull) return 0;
    const ExecutionContext *execution = current_execution();
    auto *fcinfo = static_cast<FunctionCallInfo>(execution->data);
    MemoryContext memory = transform_memory(fcinfo);
    if (memory == nullptr && AggCheckCallContext(fcinfo, &memory) == 0)
        lua::raise(L, "0A000",
                   "only a function of an aggregate or of a transform can return type internal");
    lua_pushvalue(L, idx);
    const BoundValue *place = given_place(execution->site, fcinfo);
    if (place == nullptr)
        place = bind_value(L, memory);
    else
        rebind_value(L, place);
    return PointerGetDatum(place);
}

} // namespace pllua_bg::pl
