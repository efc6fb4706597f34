// A command on another server, from its text to its end.
// Owns nothing.
#pragma once

#include "session/shared/message.h"

namespace pllua_bg::remote {

// Runs a command, or prepares it. Call in a transaction. Errors: pg, those of the server too, when
// the server has come to the end of the command.
void run_command(const session::CommandMessage *command);
// The text of a command: of a prepared one as it was prepared. Errors: pg 26000.
const char *command_text(const session::CommandMessage *command);

} // namespace pllua_bg::remote
