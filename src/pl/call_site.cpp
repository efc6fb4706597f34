// Call sites. See call_site.h for the contracts.
#include "pl/call_site.h"

#include "lua/stack.h"
#include "pg/fault.h"
#include "pl/aggregate.h"
#include "pl/window.h"

namespace pllua_bg::pl {

CallSite *find_call_site(FunctionCallInfo fcinfo, bool trusted, CallSiteResolver resolve) {
    FmgrInfo *flinfo = fcinfo->flinfo;
    auto *site = static_cast<CallSite *>(flinfo->fn_extra);
    if (site == nullptr) {
        site = static_cast<CallSite *>(MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite)));
        site->memory = flinfo->fn_mcxt;
        site->trusted = trusted;
        flinfo->fn_extra = site;
    }
    site->user = GetUserId();
    site->interpreter = find_interpreter(trusted);
    // Read before: what changes while the function is compiled is seen at the next call.
    const uint64 generation = function_generation;
    Function *function = find_function(site->interpreter, flinfo->fn_oid);
    if (site->function != function || site->generation == 0) {
        site->generation = 0; // stays so when the rest fails
        site->function = function;
        resolve(site, fcinfo);
    }
    site->generation = generation;
    return site;
}

bool is_atomic(FunctionCallInfo fcinfo) {
    return fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
           castNode(CallContext, fcinfo->context)->atomic;
}

int push_call(lua_State *L, const CallSite *site, FunctionCallInfo fcinfo) {
    pg::fault("push-arguments");
    const int nargs = site->nargs;
    if (nargs > LUA_MINSTACK / 2) lua::need_stack(L, nargs + 4);
    lua_rawgeti(L, LUA_REGISTRYINDEX, site->function->reference);
    const bool is_window = site->function->kind == FunctionKind::kWindow;
    if (is_window) push_window(L);
    for (int i = 0; i < nargs; i++) {
        const Argument *argument = &site->arguments[i];
        const NullableDatum *value = &fcinfo->args[argument->index];
        if (argument->type == nullptr)
            push_state(L, value->value, value->isnull);
        else
            types::push(L, argument->type, value->value, value->isnull);
    }
    return is_window ? nargs + 1 : nargs;
}

} // namespace pllua_bg::pl
