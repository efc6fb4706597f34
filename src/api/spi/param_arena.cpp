// What one run of a statement needs for its time. See param_arena.h for the contracts.
#include "api/spi/param_arena.h"

#include "api/account.h"
#include "lua/interrupt.h"
#include "lua/state.h"
#include "lua/userdata.h"
#include "pg/activation.h"
#include "pg/guard.h"
#include "types/plan.h"
#include "types/portable.h"

extern "C" {
#include "nodes/params.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kArenaType[] = "pllua_bg.param_arena";
// Registry key of the pool, a sequence of free arenas: its address.
constexpr char kPool = 0;
// More than this are not kept; so deep a recursion is rare.
constexpr lua_Unsigned kMaxPooled = 16;

int collect_arena(lua_State *L) {
    auto *arena = static_cast<ParamArena *>(lua_touserdata(L, 1));
    if (arena->context != nullptr) MemoryContextDelete(arena->context);
    arena->context = nullptr;
    recount(L, &arena->rows.counted, 0);
    return 0;
}

void count_arena(lua_State *L, ParamArena *arena) {
    recount(L, &arena->rows.counted, MemoryContextMemAllocated(arena->context, false));
}

struct Conversion {
    int n;
    const types::Type *const *plans;
    Datum *values;
    bool *nulls;
    bool elsewhere;
};

Datum convert_one(lua_State *L, int idx, const types::Type *plan, bool elsewhere, bool *isnull) {
    if (plan != nullptr) return types::to_parameter(L, idx, plan, isnull);
    *isnull = false;
    return types::to_portable(L, idx, elsewhere);
}

// Called with a Conversion and its values.
int convert_all(lua_State *L) {
    const auto *conversion = static_cast<const Conversion *>(lua_touserdata(L, 1));
    for (int i = 0; i < conversion->n; i++)
        conversion->values[i] = convert_one(L, i + 2, conversion->plans[i], conversion->elsewhere,
                                            &conversion->nulls[i]);
    return 0;
}

bool needs_memory(int n, const types::Type *const *plans) {
    for (int i = 0; i < n; i++)
        if (plans[i] == nullptr || !plans[i]->by_value) return true;
    return false;
}

} // namespace

ParamArena *take_arena(lua_State *L) {
    lua::need_stack(L, 4);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPool);
    const auto n = static_cast<lua_Integer>(lua_rawlen(L, -1));
    if (n > 0) {
        lua_rawgeti(L, -1, n);
        lua_pushnil(L);
        lua_rawseti(L, -3, n);
        lua_remove(L, -2);
        return static_cast<ParamArena *>(lua_touserdata(L, -1));
    }
    lua_pop(L, 1);
    require_memory(L, ALLOCSET_DEFAULT_INITSIZE);
    auto *arena = lua::new_userdata<ParamArena>(L, kArenaType);
    pg::call_no_subxact(L, [arena] {
        arena->context =
            AllocSetContextCreate(TopMemoryContext, "pllua_bg execution", ALLOCSET_DEFAULT_SIZES);
    });
    count_arena(L, arena);
    return arena;
}

void reset_arena(lua_State *L, ParamArena *arena) {
    MemoryContextReset(arena->context);
    count_arena(L, arena);
}

void return_arena(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    auto *arena = static_cast<ParamArena *>(lua_touserdata(L, idx));
    arena->params = nullptr;
    reset_arena(L, arena);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kPool);
    const lua_Unsigned n = lua_rawlen(L, -1);
    if (n < kMaxPooled) {
        lua_pushvalue(L, idx);
        lua_rawseti(L, -2, static_cast<lua_Integer>(n + 1));
    }
    lua_pop(L, 1);
}

void convert_values(lua_State *L, ParamArena *arena, int first, int n,
                    const types::Type *const *plans, Datum *values, bool *nulls, bool elsewhere) {
    if (!needs_memory(n, plans)) {
        for (int i = 0; i < n; i++)
            values[i] = convert_one(L, first + i, plans[i], elsewhere, &nulls[i]);
        return;
    }
    // A Lua error may not leave our context the current one, wherever it is caught.
    Conversion conversion = {n, plans, values, nulls, elsewhere};
    lua::need_stack(L, n + 2);
    lua_pushcfunction(L, convert_all);
    lua_pushlightuserdata(L, &conversion);
    for (int i = 0; i < n; i++) lua_pushvalue(L, first + i);
    MemoryContext previous = MemoryContextSwitchTo(arena->context);
    const int status = lua::call(L, n + 1, 0, 0);
    MemoryContextSwitchTo(previous);
    if (status != LUA_OK) lua_error(L);
    count_arena(L, arena);
}

void set_parameters(lua_State *L, ParamArena *arena, int first, int nargs, const Oid *types) {
    arena->params = nullptr;
    if (nargs == 0) return;
    const types::Type **plans = nullptr;
    Datum *values = nullptr;
    bool *nulls = nullptr;
    const auto n = static_cast<Size>(nargs);
    pg::call(L, [=, &plans, &values, &nulls] {
        pg::ensure_spi();
        MemoryContextSwitchTo(arena->context);
        arena->params = makeParamList(nargs);
        plans = static_cast<const types::Type **>(palloc(sizeof(*plans) * n));
        values = static_cast<Datum *>(palloc(sizeof(Datum) * n));
        nulls = static_cast<bool *>(palloc(sizeof(bool) * n));
        for (int i = 0; i < nargs; i++) plans[i] = types::lookup(types[i], -1);
    });
    convert_values(L, arena, first, nargs, plans, values, nulls);
    for (int i = 0; i < nargs; i++) {
        ParamExternData *param = &arena->params->params[i];
        param->value = values[i];
        param->isnull = nulls[i];
        param->pflags = PARAM_FLAG_CONST;
        param->ptype = types[i];
    }
}

void initialize_arenas(lua_State *L) {
    lua::new_metatable(L, kArenaType);
    lua_pushcfunction(L, collect_arena);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kPool);
}

} // namespace pllua_bg::api
