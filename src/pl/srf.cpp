// Functions that return sets: a row at a time where the caller may stop early, all rows at once
// where it wants them all. Owns the suspended threads.
//
// A row is converted where the function yields it, so errors name the right line. When all rows are
// wanted, coroutine.yield puts the row away and returns at once: nothing is suspended.
#include "pl/call.h"

extern "C" {
#include "executor/executor.h"
#include "utils/tuplestore.h"
}

#include "api/protect.h"
#include "pg/actor.h"
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/overdue.h"

namespace pllua_bg::pl {

// The state of one set; kept by its call site for the next one.
struct Set {
    api::RowSink sink;
    Site *site;
    FunctionCallInfo fcinfo; // of the first call; valid while it lasts
    Function *function;      // held while the set is suspended
    Interpreter *interpreter;
    lua_State *thread; // suspended; null when there is none
    pg::Actor actor;   // of the first call
    ExprContext *context;
    MemoryContextCallback reset;
    bool yielded;
    bool has_row; // `value` is a row not yet handed out
    bool isnull;
    Datum value;
    // When all rows are wanted at once:
    Tuplestorestate *store;
    TupleDesc descriptor;
    MemoryContext row_memory;
};

namespace {

// Converts a row into `value`.
void take_one(lua_State *L, api::RowSink *sink) {
    auto *set = reinterpret_cast<Set *>(sink);
    const int count = lua_gettop(L);
    set->value = take_result(L, 1, count, &set->site->result, &set->isnull);
    set->has_row = true;
    set->yielded = true;
}

void store_values(lua_State *L, Set *set, Datum *values, bool *nulls) {
    // A failure of the tuplestore is no error that Lua code may catch: kCleanup opens no
    // subtransaction for it.
    pg::call_cleanup(L, [=] {
        tuplestore_putvalues(set->store, set->descriptor, values, nulls);
        MemoryContextResetOnly(set->row_memory);
    });
}

void store_tuple(lua_State *L, Set *set, HeapTuple tuple) {
    pg::call_cleanup(L, [=] {
        tuplestore_puttuple(set->store, tuple);
        MemoryContextResetOnly(set->row_memory);
    });
}

void store_nulls(lua_State *L, Set *set, Datum *values, bool *nulls) {
    const auto natts = static_cast<size_t>(set->descriptor->natts);
    memset(values, 0, sizeof(Datum) * natts);
    memset(nulls, 1, natts);
    store_values(L, set, values, nulls);
}

// A row of a domain is checked as a whole.
bool store_domain(lua_State *L, Set *set, int first, int count) {
    bool isnull;
    const Datum value = take_result(L, first, count, &set->site->result, &isnull);
    if (isnull) return false;
    HeapTupleHeader header = nullptr;
    pg::call_cleanup(L, [&] { header = DatumGetHeapTupleHeader(value); });
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    store_tuple(L, set, &tuple);
    return true;
}

void store_row(lua_State *L, Set *set, int first, int count) {
    Result *result = &set->site->result;
    const auto natts = static_cast<size_t>(set->descriptor->natts);
    auto *values = static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * natts));
    auto *nulls = static_cast<bool *>(__builtin_alloca(natts));
    if (result->is_domain) {
        if (!store_domain(L, set, first, count)) store_nulls(L, set, values, nulls);
    } else if (are_columns(L, &first, &count, result)) {
        take_columns(L, first, count, result, values, nulls);
        store_values(L, set, values, nulls);
    } else if (count == 0 || lua_isnil(L, first)) {
        store_nulls(L, set, values, nulls);
    } else {
        store_tuple(L, set, types::to_tuple(L, first, result->descriptor, true));
    }
}

// Puts a row away.
void take_all(lua_State *L, api::RowSink *sink) {
    auto *set = reinterpret_cast<Set *>(sink);
    const int count = lua_gettop(L);
    set->yielded = true;
    if (set->site->result.kind == ResultKind::kRow) {
        store_row(L, set, 1, count);
        return;
    }
    Datum value;
    bool isnull;
    value = take_result(L, 1, count, &set->site->result, &isnull);
    store_values(L, set, &value, &isnull);
}

// What a function returns without having yielded is its only row.
int finish_body(lua_State *L, int, lua_KContext context) {
    auto *set = reinterpret_cast<Set *>(context);
    lua_remove(L, 1);
    if (!set->yielded && lua_gettop(L) > 0) set->sink.take(L, &set->sink);
    return 0;
}

int set_body(lua_State *L) {
    auto *set = static_cast<Set *>(lua_touserdata(L, 1));
    const int nargs = push_call(L, set->site, set->fcinfo);
    const auto context = reinterpret_cast<lua_KContext>(set);
    lua_callk(L, nargs, LUA_MULTRET, context, finish_body);
    return finish_body(L, LUA_OK, context);
}

// Forgets the set; its thread has ended or was left to others.
void drop_set(Set *set) {
    set->thread = nullptr;
    if (set->function != nullptr) release_function(set->function);
    set->function = nullptr;
}

// The query ends in an error, or its memory goes for another reason. What the function has left to
// close is closed without the database; a session in it ends.
void on_memory_reset(void *argument) {
    auto *set = static_cast<Set *>(argument);
    if (set->thread == nullptr || pg::is_lua_abandoned()) return;
    pg::Closing closing;
    pg::begin_closing(&closing);
    api::close_thread(set->thread);
    lua_settop(set->thread, 0);
    pg::end_closing(&closing);
    abandon_thread(set->interpreter, set->thread);
    drop_set(set);
}

void open_set_entry(Entry *entry, Set *set, FunctionCallInfo fcinfo) {
    EntryOptions options;
    options.function = set->function;
    options.site = set->site;
    options.thread = set->thread;
    options.atomic = is_atomic(fcinfo);
    options.read_only = set->function->read_only;
    open_entry(entry, set->interpreter, NameStr(set->function->name), options);
    set->sink.thread = entry->thread;
    entry->sink = &set->sink;
}

// The caller needs no more rows: what the function has left to close is closed, without the
// database: nothing tells that the current user, the settings and the snapshot are those of the
// calls.
void on_shutdown(Datum argument) {
    auto *set = reinterpret_cast<Set *>(DatumGetPointer(argument));
    // Where an error could not be raised the memory of the set is about to go.
    if (set->thread == nullptr || !IsTransactionState()) return;
    LOCAL_FCINFO(fcinfo, 0);
    fcinfo->context = nullptr;
    Entry entry;
    open_set_entry(&entry, set, fcinfo);
    pg::database_closed = "after the call of the function was left";
    drop_set(set);
    finish_entry(&entry);
}

Set *prepare_set(Site *site, FunctionCallInfo fcinfo) {
    Set *set = site->set;
    if (set == nullptr) {
        set = static_cast<Set *>(MemoryContextAllocZero(site->memory, sizeof(Set)));
        set->reset.func = on_memory_reset;
        set->reset.arg = set;
        MemoryContextRegisterResetCallback(site->memory, &set->reset);
        site->set = set;
    }
    set->site = site;
    set->fcinfo = fcinfo;
    set->function = site->function;
    set->interpreter = site->interpreter;
    set->yielded = false;
    set->has_row = false;
    set->actor = pg::current_actor();
    return set;
}

Datum end_of_set(FunctionCallInfo fcinfo, Set *set, ReturnSetInfo *info) {
    info->isDone = set->has_row ? ExprSingleResult : ExprEndResult;
    fcinfo->isnull = !set->has_row || set->isnull;
    return set->has_row ? set->value : 0;
}

// A set goes on as whom it was begun: its Lua code has the state of that user, and acts as the
// current one.
void check_same_actor(const Set *set) {
    if (pg::is_current(set->actor)) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the rows of function \"%s\" were begun by another user or in another security "
                    "context",
                    NameStr(set->function->name)),
             errhint("Fetch them all as one user.")));
}

Datum next_row(FunctionCallInfo fcinfo, Site *site, ReturnSetInfo *info) {
    const bool first = !is_suspended(site);
    if (!first) check_same_actor(site->set);
    Set *set = first ? prepare_set(site, fcinfo) : site->set;
    set->sink.take = take_one;
    set->sink.stores = false;
    set->has_row = false;
    Entry entry;
    open_set_entry(&entry, set, fcinfo);
    lua_State *thread = entry.thread;
    // From here on an error finds nothing to clean up but what run_entry does.
    Function *function = set->function;
    if (!first) {
        set->thread = nullptr;
        release_function(function);
    }
    if (!run_entry(&entry, first ? set_body : nullptr, set)) {
        if (!first) UnregisterExprContextCallback(set->context, on_shutdown, PointerGetDatum(set));
        set->function = nullptr;
        close_entry(&entry);
        return end_of_set(fcinfo, set, info);
    }
    set->thread = thread;
    hold_function(function);
    suspend_entry(&entry);
    if (first) {
        set->context = info->econtext;
        RegisterExprContextCallback(set->context, on_shutdown, PointerGetDatum(set));
    }
    info->isDone = ExprMultipleResult;
    fcinfo->isnull = set->isnull;
    return set->value;
}

TupleDesc describe_store(const Result *result, const char *name) {
    if (result->kind == ResultKind::kRow) return CreateTupleDescCopy(result->descriptor);
    if (result->kind == ResultKind::kRecord)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("function returning record called in context that cannot accept type "
                        "record")));
    TupleDesc descriptor = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(descriptor, 1, name, result->type_oid, -1, 0);
    return descriptor;
}

Datum all_rows(FunctionCallInfo fcinfo, Site *site, ReturnSetInfo *info) {
    Set *set = prepare_set(site, fcinfo);
    set->sink.take = take_all;
    set->sink.stores = true;
    MemoryContext outer = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    const bool random = (info->allowedModes & SFRM_Materialize_Random) != 0;
    set->store = tuplestore_begin_heap(random, false, work_mem);
    set->descriptor = describe_store(&site->result, NameStr(site->function->name));
    MemoryContextSwitchTo(outer);
    // What one row needs is gone with the next.
    set->row_memory = AllocSetContextCreate(outer, "pllua_bg row", ALLOCSET_DEFAULT_SIZES);
    Entry entry;
    open_set_entry(&entry, set, fcinfo);
    MemoryContextSwitchTo(set->row_memory);
    run_entry(&entry, set_body, set);
    MemoryContextSwitchTo(outer);
    set->function = nullptr;
    close_entry(&entry);
    MemoryContextDelete(set->row_memory);
    info->returnMode = SFRM_Materialize;
    info->setResult = set->store;
    info->setDesc = set->descriptor;
    fcinfo->isnull = true;
    return 0;
}

} // namespace

bool is_suspended(const Site *site) {
    return site != nullptr && site->set != nullptr && site->set->thread != nullptr;
}

Datum call_set(FunctionCallInfo fcinfo, Site *site) {
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
