// What a worker is, for all files of this folder.
// Owns the state of the process.
#include "session/worker/worker.h"

namespace pllua_bg::session {

Worker worker;

const char *session_title() {
    const char *name = worker.header->name;
    return name[0] == '\0' ? "pllua_bg session" : name;
}

bool retire() { return leave_pool(worker.header, kRetired); }

} // namespace pllua_bg::session
