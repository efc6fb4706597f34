// What the program in a worker says about how far it is. Owns nothing.
#include "session/shared/progress.h"

#include <cmath>

#include "session/shared/session_slots.h"
#include "session/worker/worker.h"

namespace pllua_bg::session {

bool report_progress(double done, double total, const char *message) {
    if (!std::isfinite(done) || std::isinf(total))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("progress must be told in finite numbers")));
    if (worker.header == nullptr) return false;
    write_progress(worker.header, done, total, message);
    show_progress(&worker.header->progress);
    return true;
}

} // namespace pllua_bg::session
