// What the waiting code needs to know of readers beyond session.h.
// Owns nothing.
#pragma once

#include "session/session.h"

namespace pllua_bg::session {

// True when next_tuple() would return a row. Errors: pg (file access).
bool reader_has_row(TupleReader *reader);

} // namespace pllua_bg::session
