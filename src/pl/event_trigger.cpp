// Event triggers: the function gets a table with the event and the command tag.
// Owns nothing.
#include "lua/fields.h"
#include "pl/call.h"
#include "pl/call_site.h"

extern "C" {
#include "commands/event_trigger.h"
}

namespace pllua_bg::pl {

namespace {

struct EventCall {
    const CallSite *site;
    const EventTriggerData *data;
};

int event_body(lua_State *L) {
    auto *call = static_cast<const EventCall *>(lua_touserdata(L, 1));
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->site->function->reference);
    lua_createtable(L, 0, 2);
    lua::set_text(L, "event", call->data->event);
    lua::set_text(L, "tag", GetCommandTagName(call->data->tag));
    lua_call(L, 1, 0);
    return 0;
}

void resolve_event_trigger(CallSite *site, FunctionCallInfo) {
    if (site->function->kind != FunctionKind::kEventTrigger)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("function \"%s\" is no event trigger function",
                               NameStr(site->function->name))));
}

} // namespace

Datum call_event_trigger(FunctionCallInfo fcinfo, bool trusted) {
    auto *site = static_cast<CallSite *>(fcinfo->flinfo->fn_extra);
    if (site == nullptr || !is_fresh(site))
        site = find_call_site(fcinfo, trusted, resolve_event_trigger);
    EventCall call = {site, reinterpret_cast<EventTriggerData *>(fcinfo->context)};
    ExecutionContext execution;
    open_call(&execution, site);
    run_execution(&execution, event_body, &call);
    close_execution(&execution);
    return 0;
}

} // namespace pllua_bg::pl
