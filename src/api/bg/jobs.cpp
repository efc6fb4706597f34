// Primitives of bg for durable jobs: what the scheduler's policy (lua/bg/jobs) is built on, and
// waiting for the end of a job.
#include "api/bg/bg.h"

#include "jobs/current.h"
#include "jobs/jobs.h"
#include "lua/error.h"
#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/guard.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kCondition[] = "bg.condition";

// What stands in the place of a session where Lua code waits.
struct ConditionHandle {
    session::Condition condition;
    jobs::Waiter waiter; // number 0: it is not for a job
};

lua_Number seconds(TimestampTz time) {
    constexpr int64 kEpoch = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
    return static_cast<lua_Number>(time) / 1e6 + static_cast<lua_Number>(kEpoch);
}

ConditionHandle *check_waiter(lua_State *L, int idx) {
    return lua::check_userdata<ConditionHandle>(L, idx, kCondition);
}

// announced(): a list of ids; whether there is more; of that the least id of a job, nil: not known;
// whether the configuration was loaded again.
int announced(lua_State *L) {
    jobs::Announced taken = {};
    pg::call_no_subxact(L, [&] { taken = jobs::take_announced(); });
    lua_createtable(L, taken.count, 0);
    for (int i = 0; i < taken.count; i++) {
        lua_pushinteger(L, taken.ids[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushboolean(L, taken.rescan_from != jobs::kNoRescan);
    if (taken.rescan_from > 0 && taken.rescan_from != jobs::kNoRescan)
        lua_pushinteger(L, taken.rescan_from);
    else
        lua_pushnil(L);
    lua_pushboolean(L, taken.reloaded);
    return 4;
}

// retire_scheduler(): true when this is the scheduler no more, and shall end.
int retire_scheduler(lua_State *L) {
    bool retired = false;
    pg::call_own_subxact(L, [&] { retired = jobs::retire(); });
    lua_pushboolean(L, retired);
    return 1;
}

// settle_waiters(id, state)
int settle_waiters(lua_State *L) {
    const lua_Integer id = luaL_checkinteger(L, 1);
    const char *state = luaL_checkstring(L, 2);
    pg::call_no_subxact(L, [&] { jobs::settle_waiters(id, state[0]); });
    return 0;
}

// server_time(): seconds since 1970.
int server_time(lua_State *L) {
    TimestampTz time = 0;
    pg::call_no_subxact(L, [&] { time = GetCurrentTimestamp(); });
    lua_pushnumber(L, seconds(time));
    return 1;
}

// crash_time(): when the server was started after a crash; nil: it was stopped cleanly.
int crash_time(lua_State *L) {
    const TimestampTz time = jobs::crash_time();
    if (time == 0) return 0;
    lua_pushnumber(L, seconds(time));
    return 1;
}

// job_waiter(id): begins to wait; what wait_any takes in the place of a session.
int job_waiter(lua_State *L) {
    const lua_Integer id = luaL_checkinteger(L, 1);
    auto *handle = lua::new_userdata<ConditionHandle>(L, kCondition);
    pg::call_no_subxact(L, [&] { handle->waiter = jobs::begin_wait(id); });
    handle->condition = jobs::ended(&handle->waiter);
    return 1;
}

// job_outcome(waiter): the state; '?': look again; nil: none is known yet.
int job_outcome(lua_State *L) {
    const ConditionHandle *handle = check_waiter(L, 1);
    const char state = jobs::outcome(&handle->waiter);
    if (state == '\0') return 0;
    lua_pushlstring(L, &state, 1);
    return 1;
}

// end_job_wait(waiter)
int end_job_wait(lua_State *L) {
    const ConditionHandle *handle = check_waiter(L, 1);
    pg::call_no_subxact(L, [&] { jobs::end_wait(&handle->waiter); });
    return 0;
}

// check_jobs(): raises 55000 unless this database has jobs.
int check_jobs(lua_State *L) {
    pg::call_own_subxact(L, [] { jobs::check_tables(); });
    return 0;
}

// in_job(): whether a job runs here.
int in_job(lua_State *L) {
    lua_pushboolean(L, jobs::current_job.id != 0);
    return 1;
}

} // namespace

void open_conditions(lua_State *L) {
    (void)lua::new_metatable(L, kCondition);
    lua_pop(L, 1);
    auto *news = lua::new_userdata<ConditionHandle>(L, kCondition);
    news->condition = *jobs::announcement();
    lua_setfield(L, -2, "announcement");
}

const session::Condition *test_condition(lua_State *L, int idx) {
    const auto *handle = lua::to_userdata<ConditionHandle>(L, idx, kCondition);
    return handle == nullptr ? nullptr : &handle->condition;
}

// What lua/bg is built on; internal functions:
const luaL_Reg kJobFunctions[] = {
    {"announced", announced},
    {"retire_scheduler", retire_scheduler},
    {"settle_waiters", settle_waiters},
    {"server_time", server_time},
    {"crash_time", crash_time},
    {"job_waiter", job_waiter},
    {"job_outcome", job_outcome},
    {"end_job_wait", end_job_wait},
    {"check_jobs", check_jobs},
    {"in_job", in_job},
    {nullptr, nullptr},
};

} // namespace pllua_bg::api
