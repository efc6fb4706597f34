// What this backend holds outside of Lua for code that has sessions: commands and what has come of
// them, and work for after the commit. It counts against pllua_bg.memory_limit for every
// interpreter (lua/state.h), and takes no more than three quarters of it, so that Lua code can go
// on and fetch what there is. Owns the count.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// Bytes. Read by the accounts of interpreters; changed by hold() only.
extern size_t held;

// Positive when something is taken, negative when it is given back. Errors: none.
void hold(ptrdiff_t bytes);
// False when there is no room for so many bytes more. Takes of what a transaction may still have
// when memory is short (reserve.h). Errors: none.
bool take_held_room(size_t more);
// Raises where there is none. Errors: pg 53200.
void check_held(size_t more);
// What notifications may take beside all that: other roles send them, and shall not take from
// anybody what the limit gives. Bytes. Errors: none.
size_t most_for_notifications();

} // namespace pllua_bg::pg
