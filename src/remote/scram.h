// SCRAM pass-through: the keys that a client has proved to have to this server are used to prove
// the same to another one, where the role has the same secret. They are in the process of the
// client, and a launch gives them to the worker. Owns nothing.
#pragma once

#include "pg/server.h"
#include "session/shared/message.h"

namespace pllua_bg::remote {

inline constexpr int kKeySize = 32;
struct ScramKeys {
    uint8 client[kKeySize];
    uint8 server[kKeySize];
};
static_assert(sizeof(ScramKeys) == sizeof(session::ServerSecret::bytes));

// Those of the client of this process; false: it has none, or the current user is another role than
// it is. Before PostgreSQL 18 the server does not keep them. Errors: none.
bool own_keys(ScramKeys *keys);
// To the worker, and there. Errors: none.
void put_keys(session::ServerSecret *secret, const ScramKeys &keys);
ScramKeys keys_in(const session::ServerSecret &secret);
// One of them in base64, in CurrentMemoryContext. Errors: pg (memory).
char *key_text(const uint8 (&key)[kKeySize]);

} // namespace pllua_bg::remote
