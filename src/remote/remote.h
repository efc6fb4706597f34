// Sessions whose commands are run on another server: the doors of this floor.
// Owns nothing.
#pragma once

#include "session/shared/channel.h"

namespace pllua_bg::session {
struct Executor;
struct ServerSecret;
} // namespace pllua_bg::session

namespace pllua_bg::remote {

// See session/hooks.h.
void check_server(const char *server, session::ServerSecret *secret);
session::Executor *connect_to_server(char *server, session::ServerSecret *secret,
                                     session::FrameCursor *settings);

} // namespace pllua_bg::remote
