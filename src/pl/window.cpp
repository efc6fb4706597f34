// Window functions. See window.h for the contracts. Follows src/include/windowapi.h.
//
// Reading a row runs the plan below the window on, which has to go on after it. So rows are read
// outside of pcall only, where an error of the plan cannot be caught and no subtransaction owns
// what the plan opens.
#include "pl/window.h"

extern "C" {
#include "windowapi.h"
}

#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "pl/bound_value.h"
#include "pl/call_site.h"

namespace pllua_bg::pl {

namespace {

constexpr char kWindowType[] = "window object";
// Registry key of the object.
char window_key;

struct Window {}; // all of it is in the running execution

WindowObject window_of(FunctionCallInfo fcinfo) {
    auto window = reinterpret_cast<WindowObject>(fcinfo->context);
    return WindowObjectIsValid(window) ? window : nullptr;
}

// A call of a window function, as a method sees it.
struct WindowCall {
    const CallSite *site;
    WindowObject window;
};

WindowCall check_call(lua_State *L) {
    lua::check_userdata<Window>(L, 1, kWindowType);
    const ExecutionContext *execution = current_execution();
    if (execution == nullptr || execution->function == nullptr ||
        execution->function->kind != FunctionKind::kWindow)
        lua::raise(L, "55000", "no window function is running");
    return {execution->site, window_of(static_cast<FunctionCallInfo>(execution->data))};
}

// Runs a function of the server that may read rows. Errors: lua.
template <class F> void read_window(lua_State *L, F &&fn) {
    if (pg::level_count() > pg::current_activation->level_base) {
        lua::ErrorFields fields = {};
        fields.sqlstate = "0A000";
        fields.message = "rows of a window cannot be read inside pcall";
        fields.hint = "Read them before.";
        lua::raise_fields(L, fields);
    }
    pg::call_own_subxact(L, static_cast<F &&>(fn));
}

// The argument with the number at idx, counted from 1 as in SQL.
const Argument *check_argument(lua_State *L, int idx, const CallSite *site) {
    const lua_Integer number = luaL_checkinteger(L, idx);
    for (int i = 0; i < site->nargs; i++)
        if (site->arguments[i].index == number - 1) return &site->arguments[i];
    luaL_argerror(L, idx, "the function has no such argument");
    pg_unreachable();
}

// A distance between rows as the server takes it: where it is too far there is no row.
int check_distance(lua_State *L, int idx) {
    const lua_Integer distance = luaL_optinteger(L, idx, 1);
    return static_cast<int>(Max(Min(distance, INT32_MAX), -INT32_MAX));
}

using Reader = Datum (*)(WindowObject window, int argument, int position, int seek, bool mark,
                         bool *isnull, bool *isout);

// Pushes the argument of a row; false, and nil pushed, where there is no such row.
bool push_argument(lua_State *L, const WindowCall &call, const Argument *argument, Reader read,
                   int position, int seek) {
    Datum value = 0;
    bool isnull = true, isout = true;
    MemoryContext memory = nullptr;
    read_window(L, [&] {
        memory =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg window", ALLOCSET_SMALL_SIZES);
        MemoryContext outer = MemoryContextSwitchTo(memory);
        value = read(call.window, argument->index, position, seek, false, &isnull, &isout);
        MemoryContextSwitchTo(outer);
    });
    types::push(L, argument->type, value, isnull || isout);
    MemoryContextDelete(memory);
    return !isout;
}

// (window, argument, ...) -> value, whether there is such a row
int read_argument(lua_State *L, Reader read, int position, int seek) {
    const WindowCall call = check_call(L);
    const Argument *argument = check_argument(L, 2, call.site);
    lua_pushboolean(L, push_argument(L, call, argument, read, position, seek));
    return 2;
}

int lag(lua_State *L) {
    return read_argument(L, WinGetFuncArgInPartition, -check_distance(L, 3), WINDOW_SEEK_CURRENT);
}

int lead(lua_State *L) {
    return read_argument(L, WinGetFuncArgInPartition, check_distance(L, 3), WINDOW_SEEK_CURRENT);
}

int first_value(lua_State *L) {
    return read_argument(L, WinGetFuncArgInFrame, 0, WINDOW_SEEK_HEAD);
}

int last_value(lua_State *L) { return read_argument(L, WinGetFuncArgInFrame, 0, WINDOW_SEEK_TAIL); }

int nth_value(lua_State *L) {
    const int position = check_distance(L, 3);
    luaL_argcheck(L, position > 0, 3, "rows are counted from 1");
    return read_argument(L, WinGetFuncArgInFrame, position - 1, WINDOW_SEEK_HEAD);
}

// The step of an iterator over rows: (window, position) -> next position, value; the number of
// the argument is an upvalue. The position is nil after the last row.
int next_in(lua_State *L, Reader read) {
    const WindowCall call = check_call(L);
    const Argument *argument = check_argument(L, lua_upvalueindex(1), call.site);
    const lua_Integer position = luaL_checkinteger(L, 2);
    if (position < 0 || position >= INT32_MAX) return 0;
    lua_pushinteger(L, position + 1);
    const bool found =
        push_argument(L, call, argument, read, static_cast<int>(position), WINDOW_SEEK_HEAD);
    return found ? 2 : 0;
}

int next_in_frame(lua_State *L) { return next_in(L, WinGetFuncArgInFrame); }
int next_in_partition(lua_State *L) { return next_in(L, WinGetFuncArgInPartition); }

// (window, argument) -> iterator, window, 0
int iterate(lua_State *L, lua_CFunction next) {
    check_argument(L, 2, check_call(L).site);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, next, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

int frame(lua_State *L) { return iterate(L, next_in_frame); }
int partition(lua_State *L) { return iterate(L, next_in_partition); }

// (window, row, row) -> whether the two rows of the partition are equal in ORDER BY
int peers(lua_State *L) {
    const WindowCall call = check_call(L);
    const lua_Integer first = luaL_checkinteger(L, 2), second = luaL_checkinteger(L, 3);
    bool are_peers = false;
    int64 count = 0;
    read_window(L, [&] { count = WinGetPartitionRowCount(call.window); });
    luaL_argcheck(L, first >= 1 && first <= count, 2, "the partition has no such row");
    luaL_argcheck(L, second >= 1 && second <= count, 3, "the partition has no such row");
    read_window(L, [&] { are_peers = WinRowsArePeers(call.window, first - 1, second - 1); });
    lua_pushboolean(L, are_peers);
    return 1;
}

void push_position(lua_State *L, const WindowCall &call) {
    lua_pushinteger(L, WinGetCurrentPosition(call.window) + 1);
}

void push_count(lua_State *L, const WindowCall &call) {
    int64 count = 0;
    read_window(L, [&] { count = WinGetPartitionRowCount(call.window); });
    lua_pushinteger(L, count);
}

// A table that is new for each partition.
void push_partition_state(lua_State *L, const WindowCall &call) {
    BoundValue **place = nullptr;
    pg::call_own_subxact(L, [&] {
        place = static_cast<BoundValue **>(
            WinGetPartitionLocalMemory(call.window, sizeof(BoundValue *)));
    });
    if (*place == nullptr) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        *place = bind_value(L, GetMemoryChunkContext(place));
        return;
    }
    push_bound_value(L, *place);
}

struct Field {
    const char *name;
    void (*push)(lua_State *L, const WindowCall &call);
};

constexpr Field kFields[] = {
    {"position", push_position},
    {"count", push_count},
    {"state", push_partition_state},
};

constexpr luaL_Reg kMethods[] = {
    {"lag", lag},
    {"lead", lead},
    {"first_value", first_value},
    {"last_value", last_value},
    {"nth_value", nth_value},
    {"frame", frame},
    {"partition", partition},
    {"peers", peers},
    {nullptr, nullptr},
};

// The methods are an upvalue.
int get_field(lua_State *L) {
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    const char *name = luaL_checkstring(L, 2);
    for (const Field &field : kFields) {
        if (strcmp(field.name, name) != 0) continue;
        field.push(L, check_call(L));
        return 1;
    }
    return 0;
}

} // namespace

void fetch_current_row(FunctionCallInfo fcinfo) {
    WindowObject window = window_of(fcinfo);
    if (window == nullptr)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("window function %s requires an OVER clause",
                               get_func_name(fcinfo->flinfo->fn_oid))));
    for (int i = 0; i < fcinfo->nargs; i++)
        fcinfo->args[i].value = WinGetFuncArgCurrent(window, i, &fcinfo->args[i].isnull);
}

void push_window(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &window_key) != LUA_TNIL) return;
    lua_pop(L, 1);
    if (lua::new_metatable(L, kWindowType)) {
        luaL_newlib(L, kMethods);
        lua_pushcclosure(L, get_field, 1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua::new_userdata<Window>(L, kWindowType);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &window_key);
}

} // namespace pllua_bg::pl
