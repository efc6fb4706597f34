// What this floor registers once in every process. Owns nothing.
#include "jobs/area.h"

#include "pg/steps.h"

namespace pllua_bg::jobs {

void initialize() {
    static const pg::Step steps[] = {
        initialize_area,         initialize_announcements, initialize_waiters,
        initialize_utility_hook, initialize_launcher,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}

} // namespace pllua_bg::jobs
