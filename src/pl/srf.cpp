// Functions that return sets: a row at a time where the caller may stop early, all rows at once
// where it wants them all. Owns the suspended threads.
//
// A row is converted where the function yields it, so errors name the right line. When all rows are
// wanted, coroutine.yield puts the row away and returns at once: nothing is suspended.
#include "pl/srf.h"

extern "C" {
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"
}

#include "api/lang/protect.h"
#include "lua/interrupt.h"
#include "pg/actor.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/overdue.h"
#include "pl/returned_list.h"
#include "pl/row_store.h"

namespace pllua_bg::pl {

// The rows that one call returns; kept by its call site for the next one.
struct Srf {
    api::RowSink sink;
    CallSite *site;
    FunctionCallInfo fcinfo; // of the first call; valid while it lasts
    Function *function;      // held while the function is suspended
    Interpreter *interpreter;
    lua_State *thread; // suspended; null when there is none
    pg::Actor actor;   // of the first call
    NameData portal;   // that ran then; "" when none did
    ExprContext *context;
    MemoryContextCallback reset;
    bool yielded;
    lua_Integer given;  // elements of the list that the function has returned, handed out
    lua_Integer length; // of that list
    bool has_row;       // `value` is a row not yet handed out
    bool isnull;
    Datum value;
    RowStore store; // when all rows are wanted at once
};

namespace {

// Converts a row into `value`.
void take_one(lua_State *L, api::RowSink *sink) {
    auto *srf = reinterpret_cast<Srf *>(sink);
    const int count = lua_gettop(L);
    Result *result = &srf->site->result;
    if (!result->plain || !take_plain_result(L, 1, count, result, &srf->value, &srf->isnull))
        srf->value = take_result(L, 1, count, result, &srf->isnull);
    srf->has_row = true;
    srf->yielded = true;
}

// Puts a row away.
void take_all(lua_State *L, api::RowSink *sink) {
    auto *srf = reinterpret_cast<Srf *>(sink);
    srf->yielded = true;
    put_row(L, &srf->store, lua_gettop(L));
}

// A row with a stack of its own: the element of the list that is the argument, after the sink.
int take_element(lua_State *L) {
    auto *sink = static_cast<api::RowSink *>(lua_touserdata(L, 1));
    lua_remove(L, 1);
    sink->take(L, sink);
    return 0;
}

// The elements of the list at 1 are the rows.
int give_list(lua_State *L, int, lua_KContext context) {
    auto *srf = reinterpret_cast<Srf *>(context);
    while (srf->given < srf->length) {
        lua::check_interrupt(L);
        lua_settop(L, 1);
        lua_pushcfunction(L, take_element);
        lua_pushlightuserdata(L, &srf->sink);
        lua_geti(L, 1, ++srf->given);
        lua_call(L, 2, 0);
        if (srf->sink.stores) continue;
        api::check_yieldable(L);
        return lua_yieldk(L, 0, context, give_list);
    }
    return 0;
}

// What a function returns without having yielded is its only row, or the list of its rows.
int finish_body(lua_State *L, int, lua_KContext context) {
    auto *srf = reinterpret_cast<Srf *>(context);
    lua_remove(L, 1);
    const int count = lua_gettop(L);
    if (srf->yielded || count == 0) return 0;
    srf->given = 0;
    srf->length = count == 1 ? list_length(L, 1, &srf->site->result) : -1;
    if (srf->length >= 0) return give_list(L, LUA_OK, context);
    srf->sink.take(L, &srf->sink);
    return 0;
}

int srf_body(lua_State *L) {
    auto *srf = static_cast<Srf *>(lua_touserdata(L, 1));
    const int nargs = push_call(L, srf->site, srf->fcinfo);
    const auto context = reinterpret_cast<lua_KContext>(srf);
    lua_callk(L, nargs, LUA_MULTRET, context, finish_body);
    return finish_body(L, LUA_OK, context);
}

// Forgets the function; its thread has ended or was left to others.
void drop_srf(Srf *srf) {
    srf->thread = nullptr;
    if (srf->function != nullptr) release_function(srf->function);
    srf->function = nullptr;
}

// The query ends in an error, or its memory goes for another reason. What the function has left to
// close is closed without the database; a session in it ends.
void on_memory_reset(void *argument) {
    auto *srf = static_cast<Srf *>(argument);
    if (srf->thread == nullptr || pg::is_lua_abandoned()) return;
    pg::Closing closing;
    pg::begin_closing(&closing);
    api::close_thread(srf->thread);
    lua_settop(srf->thread, 0);
    pg::end_closing(&closing);
    abandon_thread(srf->interpreter, srf->thread);
    drop_srf(srf);
}

void open_srf(ExecutionContext *execution, Srf *srf, FunctionCallInfo fcinfo) {
    ExecutionOptions options;
    options.function = srf->function;
    options.site = srf->site;
    options.thread = srf->thread;
    options.atomic = is_atomic(fcinfo);
    options.read_only = srf->function->read_only;
    open_execution(execution, srf->interpreter, NameStr(srf->function->name), options);
    srf->sink.thread = execution->thread;
    execution->sink = &srf->sink;
}

void close_srf(Srf *srf) {
    LOCAL_FCINFO(fcinfo, 0);
    fcinfo->context = nullptr;
    ExecutionContext execution;
    open_srf(&execution, srf, fcinfo);
    pg::database_closed = "after the call of the function was left";
    drop_srf(srf);
    finish_execution(&execution);
}

// A portal that is just being closed has let its query go, and the server would run it all the same
// where the error is caught. As one that has failed it only gives back what it holds.
void fail_portal(const Srf *srf, ResourceOwner owner) {
    Portal portal = GetPortalByName(NameStr(srf->portal));
    if (portal == nullptr || portal->resowner != owner) return;
    if (portal->status == PORTAL_READY && portal->queryDesc == nullptr) MarkPortalFailed(portal);
}

// The caller needs no more rows: what the function has left to close is closed,
// without the database: nothing tells that the current user,
// the settings and the snapshot are those of the calls.
void on_shutdown(Datum argument) {
    auto *srf = reinterpret_cast<Srf *>(DatumGetPointer(argument));
    // Where an error could not be raised the memory of the srf is about to go.
    if (srf->thread == nullptr || !IsTransactionState()) return;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData *error = pg::attempt([srf] { close_srf(srf); });
    if (error == nullptr) return;
    fail_portal(srf, owner);
    pg::rethrow(error);
}

Srf *prepare_srf(CallSite *site, FunctionCallInfo fcinfo) {
    Srf *srf = site->srf;
    if (srf == nullptr) {
        srf = static_cast<Srf *>(MemoryContextAllocZero(site->memory, sizeof(Srf)));
        srf->reset.func = on_memory_reset;
        srf->reset.arg = srf;
        MemoryContextRegisterResetCallback(site->memory, &srf->reset);
        site->srf = srf;
    }
    srf->site = site;
    srf->fcinfo = fcinfo;
    srf->function = site->function;
    srf->interpreter = site->interpreter;
    srf->yielded = false;
    srf->has_row = false;
    srf->actor = pg::current_actor();
    namestrcpy(&srf->portal, ActivePortal == nullptr ? "" : ActivePortal->name);
    return srf;
}

Datum end_of_rows(FunctionCallInfo fcinfo, Srf *srf, ReturnSetInfo *info) {
    info->isDone = srf->has_row ? ExprSingleResult : ExprEndResult;
    fcinfo->isnull = !srf->has_row || srf->isnull;
    return srf->has_row ? srf->value : 0;
}

// Rows go on as whom they were begun: the Lua code has the state of that user,
// and acts as the current one.
void check_same_actor(const Srf *srf) {
    if (pg::is_current(srf->actor)) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the rows of function \"%s\" were begun by another user or in another security "
                    "context",
                    NameStr(srf->function->name)),
             errhint("Fetch them all as one user.")));
}

Datum next_row(FunctionCallInfo fcinfo, CallSite *site, ReturnSetInfo *info) {
    const bool first = !is_suspended(site);
    if (!first) check_same_actor(site->srf);
    Srf *srf = first ? prepare_srf(site, fcinfo) : site->srf;
    srf->sink.take = take_one;
    srf->sink.stores = false;
    srf->has_row = false;
    ExecutionContext execution;
    open_srf(&execution, srf, fcinfo);
    lua_State *thread = execution.thread;
    // From here on an error finds nothing to clean up but what resume_execution does.
    Function *function = srf->function;
    if (!first) {
        srf->thread = nullptr;
        release_function(function);
    }
    if (!resume_execution(&execution, first ? srf_body : nullptr, srf)) {
        if (!first) UnregisterExprContextCallback(srf->context, on_shutdown, PointerGetDatum(srf));
        srf->function = nullptr;
        close_execution(&execution);
        return end_of_rows(fcinfo, srf, info);
    }
    srf->thread = thread;
    hold_function(function);
    suspend_execution(&execution);
    if (first) {
        srf->context = info->econtext;
        RegisterExprContextCallback(srf->context, on_shutdown, PointerGetDatum(srf));
    }
    info->isDone = ExprMultipleResult;
    fcinfo->isnull = srf->isnull;
    return srf->value;
}

Datum all_rows(FunctionCallInfo fcinfo, CallSite *site, ReturnSetInfo *info) {
    Srf *srf = prepare_srf(site, fcinfo);
    srf->sink.take = take_all;
    srf->sink.stores = true;
    MemoryContext outer = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    const bool random = (info->allowedModes & SFRM_Materialize_Random) != 0;
    open_row_store(&srf->store, &site->result, NameStr(site->function->name), random);
    MemoryContextSwitchTo(outer);
    // What one row needs is gone with the next.
    srf->store.row_memory = AllocSetContextCreate(outer, "pllua_bg row", ALLOCSET_DEFAULT_SIZES);
    ExecutionContext execution;
    open_srf(&execution, srf, fcinfo);
    MemoryContextSwitchTo(srf->store.row_memory);
    resume_execution(&execution, srf_body, srf);
    MemoryContextSwitchTo(outer);
    srf->function = nullptr;
    close_execution(&execution);
    store_kept_rows(&srf->store);
    MemoryContextDelete(srf->store.row_memory);
    info->returnMode = SFRM_Materialize;
    info->setResult = srf->store.tuples;
    info->setDesc = srf->store.descriptor;
    fcinfo->isnull = true;
    return 0;
}

} // namespace

bool is_suspended(const CallSite *site) {
    return site != nullptr && site->srf != nullptr && site->srf->thread != nullptr;
}

Datum call_srf(FunctionCallInfo fcinfo, CallSite *site) {
    auto *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (info == nullptr || !IsA(info, ReturnSetInfo))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("set-valued function called in context that cannot accept a set")));
    if (is_suspended(site)) return next_row(fcinfo, site, info);
    const bool may_store = (info->allowedModes & SFRM_Materialize) != 0;
    const bool may_step = (info->allowedModes & SFRM_ValuePerCall) != 0;
    if (may_store && (!may_step || (info->allowedModes & SFRM_Materialize_Preferred) != 0))
        return all_rows(fcinfo, site, info);
    if (may_step) return next_row(fcinfo, site, info);
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("set-valued function called in context that cannot accept a set")));
    pg_unreachable();
}

} // namespace pllua_bg::pl
