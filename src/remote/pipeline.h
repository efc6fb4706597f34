// Commands that are sent to another server before the one that runs has ended: libpq's pipeline
// mode, with a synchronization after each, so that the error of one is not that of the next.
// Owns the numbers of those that were sent, oldest first.
#pragma once

#include "session/shared/message.h"

namespace pllua_bg::remote {

// Sends the command, which nothing runs before, where another one can be sent with it; false: it is
// to be run by itself. Call in a transaction. Errors: pg (memory; FATAL 08006).
bool begin_pipeline(const session::CommandMessage *command);
// Sends what has come since, as far as it can be sent ahead. Call in a transaction. Errors: the
// same.
void send_ahead();
// The present command was sent ahead. Errors: none.
bool was_sent(CommandId id);
// It has come to its end; after the last one, what the connection does is as without a pipeline.
// Errors: pg FATAL 08006.
void end_turn();
// There is something in the pipeline. Errors: none.
bool is_in_pipeline();

} // namespace pllua_bg::remote
