// A connection of libpq. See client.h for the contracts.
#pragma once

#include "remote/client.h"

namespace pllua_bg::remote {

Connection *new_connection(const char *const *keywords, const char *const *values, int timeout);

} // namespace pllua_bg::remote
