// Calls of plain functions. See call.h for the contracts.
#include "pl/call.h"

#include "lua/state.h"
#include "pg/fault.h"
#include "pl/call_site.h"
#include "pl/returned_list.h"
#include "pl/srf.h"
#include "pl/transform.h"
#include "pl/window.h"

extern "C" {
#include "catalog/pg_proc.h"
}

namespace pllua_bg::pl {

namespace {

Oid actual_type(FmgrInfo *flinfo, Oid declared, int index) {
    if (!IsPolymorphicType(declared) && declared != ANYOID) return declared;
    const Oid actual = get_fn_expr_argtype(flinfo, index);
    if (!OidIsValid(actual))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("could not determine actual type of argument %d of function \"%s\"",
                               index + 1, get_func_name(flinfo->fn_oid))));
    // A literal whose type nobody decided is passed as a C string.
    return actual;
}

// True where neither arguments nor result need a frame that Lua can raise through.
bool is_direct(const CallSite *site) {
    for (int i = 0; i < site->nargs; i++)
        if (site->arguments[i].type == nullptr || !types::is_plain(site->arguments[i].type))
            return false;
    const Result &result = site->result;
    return site->function->kind == FunctionKind::kPlain && site->nargs <= LUA_MINSTACK / 2 &&
           (result.kind == ResultKind::kVoid || result.plain);
}

// Finds the types of arguments and result of this call. Allocates in the site's memory.
void resolve_types(CallSite *site, FunctionCallInfo fcinfo) {
    const Function *function = site->function;
    if (!has_arguments(function))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("trigger functions can only be called as triggers")));
    MemoryContext outer = MemoryContextSwitchTo(site->memory);
    site->nargs = function->variadic_any ? fcinfo->nargs : function->nargs;
    site->arguments =
        static_cast<Argument *>(palloc0(sizeof(Argument) * (static_cast<size_t>(site->nargs) + 1)));
    for (int i = 0; i < site->nargs; i++) {
        const bool declared = i < function->nargs;
        const int index = declared ? function->order[i] : i;
        const Oid type =
            actual_type(fcinfo->flinfo, declared ? function->argument_types[index] : ANYOID, index);
        site->arguments[i].index = index;
        site->arguments[i].type = type == INTERNALOID ? nullptr : types::lookup(type, -1);
    }
    MemoryContextSwitchTo(outer);
    resolve_result(fcinfo, &site->result, site->memory);
    if (transform_memory(fcinfo) != nullptr && site->result.type != nullptr)
        site->result.type = types::untransformed(site->result.type);
    if (function->returns_set) site->result.list_rule = find_list_rule(&site->result);
    site->direct = is_direct(site);
    site->result.by_position = function->result == RECORDOID && !function->has_output;
}

struct ScalarCall {
    CallSite *site;
    FunctionCallInfo fcinfo;
    Datum value;
    int count; // of results that take_result_body() has to convert
};

int call_body(lua_State *L) {
    auto *call = static_cast<ScalarCall *>(lua_touserdata(L, 1));
    const int nargs = push_call(L, call->site, call->fcinfo);
    // Without a continuation: what is no coroutine and no set has nothing to yield to.
    lua_call(L, nargs, LUA_MULTRET);
    call->value = take_result(L, 2, lua_gettop(L) - 1, &call->site->result, &call->fcinfo->isnull);
    return 0;
}

int take_result_body(lua_State *L) {
    auto *call = static_cast<ScalarCall *>(lua_touserdata(L, 1));
    call->value = take_result(L, 2, call->count, &call->site->result, &call->fcinfo->isnull);
    return 0;
}

void call_directly(ExecutionContext *execution, ScalarCall *call) {
    lua_State *L = execution->thread;
    const CallSite *site = call->site;
    begin_call(execution);
    pg::fault("push-arguments");
    lua_rawgeti(L, LUA_REGISTRYINDEX, site->function->reference);
    for (int i = 0; i < site->nargs; i++) {
        const NullableDatum *value = &call->fcinfo->args[site->arguments[i].index];
        types::push_plain(L, site->arguments[i].type, value->value, value->isnull);
    }
    finish_call(execution, site->nargs);
    pg::fault("take-result");
    call->count = lua_gettop(L) - kFirstResult + 1;
    call->fcinfo->isnull = false;
    if (site->result.kind != ResultKind::kVoid &&
        !take_plain_result(L, kFirstResult, call->count, &site->result, &call->value,
                           &call->fcinfo->isnull)) {
        // Of several values the number is wrong; what they are does not matter.
        if (call->count > 1) lua_settop(L, kFirstResult);
        lua_pushcfunction(L, take_result_body);
        lua_pushlightuserdata(L, call);
        lua_rotate(L, kFirstResult, 2);
        finish_call(execution, lua_gettop(L) - kFirstResult);
    }
    lua_settop(L, 0);
}

Datum call_plain(FunctionCallInfo fcinfo, CallSite *site) {
    ScalarCall call = {site, fcinfo, 0, 0};
    ExecutionContext execution;
    open_call(&execution, site, is_atomic(fcinfo));
    execution.data = fcinfo;
    if (site->direct)
        call_directly(&execution, &call);
    else
        run_execution(&execution, call_body, &call);
    close_execution(&execution);
    return call.value;
}

} // namespace

TupleDesc expected_row() {
    const ExecutionContext *execution = current_execution();
    if (execution == nullptr || execution->site == nullptr) return nullptr;
    const Result &result = execution->site->result;
    return result.kind == ResultKind::kRow ? result.descriptor : nullptr;
}

// The type of argument n of the function that is running, of its result when n is 0.
Oid argument_type(int n) {
    const ExecutionContext *execution = current_execution();
    if (execution == nullptr || execution->site == nullptr) return InvalidOid;
    const CallSite *site = execution->site;
    if (n == 0) return has_arguments(site->function) ? site->result.type_oid : InvalidOid;
    for (int i = 0; i < site->nargs; i++)
        if (site->arguments[i].index == n - 1) return type_of(site->arguments[i]);
    return InvalidOid;
}

Datum call_function(FunctionCallInfo fcinfo, bool trusted) {
    auto *site = static_cast<CallSite *>(fcinfo->flinfo->fn_extra);
    if ((site == nullptr || !is_fresh(site)) && !is_suspended(site)) [[unlikely]]
        site = find_call_site(fcinfo, trusted, resolve_types);
    if (site->function->kind == FunctionKind::kWindow) fetch_current_row(fcinfo);
    return site->function->returns_set ? call_srf(fcinfo, site) : call_plain(fcinfo, site);
}

void initialize() { initialize_function_cache(); }

} // namespace pllua_bg::pl
