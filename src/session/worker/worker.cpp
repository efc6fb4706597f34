// What a worker is, for all files of this folder.
// Owns the state of the process.
#include "session/worker/worker.h"

#include "session/shared/session_slots.h"

extern "C" {
#include "utils/backend_status.h"
}

namespace pllua_bg::session {

Worker worker;

const char *session_name() { return worker.header->name; }

const char *session_title() {
    const char *name = session_name();
    return name[0] == '\0' ? "pllua_bg session" : name;
}

int launcher_pid() { return worker.header == nullptr ? 0 : worker.header->launcher_pid; }

bool is_wanted() { return worker.header != nullptr && !has_flag(worker.header, kClosing); }

bool is_resting() { return worker.phase == Phase::kPooled; }

void set_title(const char *title) {
    pgstat_report_appname(title);
    show_title(title);
}

bool retire() { return leave_pool(worker.header, kRetired); }

} // namespace pllua_bg::session
