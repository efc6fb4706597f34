// As whom the server acts: the current user and its security context. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

struct Actor {
    Oid user;
    int security_context;
};

// Errors: none.
inline Actor current_actor() {
    Actor actor;
    GetUserIdAndSecContext(&actor.user, &actor.security_context);
    return actor;
}

// Errors: none.
inline bool is_current(const Actor &actor) {
    const Actor now = current_actor();
    return actor.user == now.user && actor.security_context == now.security_context;
}

} // namespace pllua_bg::pg
