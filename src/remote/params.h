// The parameters of a command, as another server reads them.
// Owns nothing: all memory is in CurrentMemoryContext.
#pragma once

#include "remote/client.h"
#include "session/shared/message.h"

namespace pllua_bg::remote {

// The types a statement is to be analysed with; 0: what the server infers. Errors: pg (catalog).
TypeId *declared_types(const session::CommandMessage *command);
// True when it has to be known what the server infers before the values can be sent.
// Errors: pg (memory).
bool needs_description(const session::CommandMessage *command);
// The values; `described`: the types the server has said, or nullptr. Call in a transaction.
// Errors: pg (conversions, output functions; 42601: not as many as the statement has).
Values make_values(const session::CommandMessage *command, const TypeId *described, int ndescribed);

} // namespace pllua_bg::remote
