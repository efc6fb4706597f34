// The lock that a worker holds while it starts and while a command runs, and that its launcher asks
// for where a wait is to be seen by the server's deadlock detector (launcher/deadlock.cpp).
// Owns nothing.
#pragma once

#include "session/shared/segment.h"

extern "C" {
#include "storage/lock.h"
}

namespace pllua_bg::session {

// The same on both sides. The database is as the segment has it: the worker does not know its own
// yet where it connects. Errors: none.
inline LOCKTAG busy_lock_tag(const SegmentHeader *header) {
    constexpr uint16 kBusyLock = 0xB6;
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, header->database, static_cast<uint32>(header->launcher_pid),
                         static_cast<uint32>(header->session_number), kBusyLock);
    return tag;
}

} // namespace pllua_bg::session
