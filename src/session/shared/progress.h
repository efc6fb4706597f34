// How far a worker is, in the segment: one process writes, any process reads.
// Owns nothing.
#pragma once

#include "session/shared/segment.h"

namespace pllua_bg::session {

// The worker's: the only one that writes. A message that is too long is clipped at a character.
// Errors: none.
void write_progress(SegmentHeader *header, double done, double total, const char *message);
// A whole report; false when there was none yet, or the worker died while it wrote one.
// Errors: none.
bool copy_progress(SegmentHeader *header, Progress *progress);

} // namespace pllua_bg::session
