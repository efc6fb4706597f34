// What one run of a statement needs for its time. See spi_execution.h for the contracts.
#include "api/spi_execution.h"

#include "lua/entry.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "types/types.h"

extern "C" {
#include "nodes/params.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kExecutionType[] = "pllua_bg.execution";
// Registry key of the pool, a sequence of free executions: its address.
constexpr char kPool = 0;
// More than this are not kept; so deep a recursion is rare.
constexpr lua_Unsigned kMaxPooled = 16;

int collect_execution(lua_State *L) {
    auto *execution = static_cast<Execution *>(lua_touserdata(L, 1));
    if (execution->context == nullptr) return 0;
    MemoryContext context = execution->context;
    execution->context = nullptr;
    // A Lua error that was caught may have left the conversion of parameters in the middle.
    if (CurrentMemoryContext == context) MemoryContextSwitchTo(execution->previous);
    MemoryContextDelete(context);
    return 0;
}

} // namespace

Execution *take_execution(lua_State *L) {
    luaL_checkstack(L, 4, nullptr);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPool);
    const auto n = static_cast<lua_Integer>(lua_rawlen(L, -1));
    if (n > 0) {
        lua_rawgeti(L, -1, n);
        lua_pushnil(L);
        lua_rawseti(L, -3, n);
        lua_remove(L, -2);
        return static_cast<Execution *>(lua_touserdata(L, -1));
    }
    lua_pop(L, 1);
    auto *execution = lua::new_userdata<Execution>(L, kExecutionType);
    pg::call_cleanup(L, [execution] {
        execution->context =
            AllocSetContextCreate(TopMemoryContext, "pllua_bg execution", ALLOCSET_DEFAULT_SIZES);
    });
    return execution;
}

void return_execution(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    auto *execution = static_cast<Execution *>(lua_touserdata(L, idx));
    execution->params = nullptr;
    MemoryContextReset(execution->context);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPool);
    const lua_Unsigned n = lua_rawlen(L, -1);
    if (n < kMaxPooled) {
        lua_pushvalue(L, idx);
        lua_rawseti(L, -2, static_cast<lua_Integer>(n + 1));
    }
    lua_pop(L, 1);
}

void set_parameters(lua_State *L, Execution *execution, int first, int nargs, const Oid *types) {
    execution->params = nullptr;
    if (nargs == 0) return;
    const types::Type **plans = nullptr;
    pg::call(L, [=, &plans] {
        pg::ensure_spi();
        MemoryContextSwitchTo(execution->context);
        execution->params = makeParamList(nargs);
        plans =
            static_cast<const types::Type **>(palloc(sizeof(*plans) * static_cast<Size>(nargs)));
        for (int i = 0; i < nargs; i++) plans[i] = types::lookup(types[i], -1);
    });
    execution->previous = MemoryContextSwitchTo(execution->context);
    for (int i = 0; i < nargs; i++) {
        ParamExternData *param = &execution->params->params[i];
        param->value = types::to_datum(L, first + i, plans[i], &param->isnull);
        param->pflags = PARAM_FLAG_CONST;
        param->ptype = types[i];
    }
    MemoryContextSwitchTo(execution->previous);
}

void initialize_executions(lua_State *L) {
    lua::new_metatable(L, kExecutionType);
    lua_pushcfunction(L, lua::entry<collect_execution>);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kPool);
}

} // namespace pllua_bg::api
