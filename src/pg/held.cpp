// What this backend holds outside of Lua for code that has sessions. See held.h for the contracts.
#include "pg/held.h"

#include "pg/hooks.h"
#include "pg/reserve.h"
#include "pg/settings.h"

namespace pllua_bg::pg {

namespace {

// This part of the limit is left to Lua code.
constexpr size_t kRest = 32;
size_t limit() { return static_cast<size_t>(setting_memory_limit) * 1024; }

} // namespace

size_t held = 0;
void hold(ptrdiff_t bytes) { held += static_cast<size_t>(bytes); }

bool take_held_room(size_t more) {
    if (!take_room(more)) return false;
    const size_t most = limit();
    if (most == 0) return true;
    if (held + more > most / 4 * 3) return false;
    // Answers come while Lua code runs: it keeps some to go on with.
    return hooks.largest_interpreter() + held + more <= most - most / kRest;
}

size_t most_for_notifications() { return limit() == 0 ? SIZE_MAX : limit() / 4; }

void check_held(size_t more) {
    if (!take_held_room(more))
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("memory limit exceeded"),
                        errdetail("What background sessions have brought or are to do holds %zu kB "
                                  "of this session's memory.",
                                  held / 1024),
                        errhint("Fetch the results of earlier commands, or close sessions, or "
                                "increase pllua_bg.memory_limit.")));
}

} // namespace pllua_bg::pg
