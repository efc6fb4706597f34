// Primitives of bg for what the LISTENs of sessions bring: taking one notification, learning that
// there are new ones, and the function that hands them to their handlers.
#include "api/bg/bg.h"

#include "lua/userdata.h"
#include "pg/guard.h"

namespace pllua_bg::api {

namespace {

// Registry key of the function that hands out notifications; nil while nobody has a handler.
constexpr char kDelivery = 0;

// notification(handle): channel, payload, pid of the oldest that nobody has taken; nothing when
// there is none.
int notification(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    session::Notification *got = nullptr;
    pg::call_own_subxact(L, [&] {
        session::Session *session = open_session(handle);
        if (session != nullptr) got = session::next_notification(session);
    });
    if (got == nullptr) return 0;
    lua_pushstring(L, got->channel);
    lua_pushstring(L, got->payload);
    lua_pushinteger(L, got->pid);
    pg::call_no_subxact(L, [got] { session::free_notification(got); });
    return 3;
}

// listen(handle): the notifications of this session count in arrived().
int listen(lua_State *L) {
    const SessionHandle *handle = check_handle(L, 1);
    pg::call_own_subxact(L, [handle] { session::set_listener(require_session(handle)); });
    return 0;
}

// arrived(): how many notifications have come for sessions with a listener.
int arrived(lua_State *L) {
    lua_pushinteger(L, static_cast<lua_Integer>(session::notifications_arrived()));
    return 1;
}

// deliver_with(fn): fn is called where notifications can be handed out.
int deliver_with(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kDelivery);
    return 0;
}

} // namespace

void deliver_notifications(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kDelivery) == LUA_TNIL)
        lua_pop(L, 1);
    else
        lua_call(L, 0, 0);
}

// What lua/bg is built on; internal functions:
const luaL_Reg kNotifyFunctions[] = {
    {"notification", notification}, {"listen", listen}, {"arrived", arrived},
    {"deliver_with", deliver_with}, {nullptr, nullptr},
};

} // namespace pllua_bg::api
