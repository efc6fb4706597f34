// The hooks of states that stand alone: nothing interrupts, and the C stack has a limit of our own.
#include "lua/hooks.h"

#include <cstddef>

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

volatile int no_interrupt = 0;

void ignore_interrupt(lua_State *) {}

// 1 MB from where the process first asked.
bool is_beyond_own_limit() {
    static const char *base = nullptr;
    constexpr ptrdiff_t kLimit = 1024 * 1024;
    const auto *here = static_cast<const char *>(__builtin_frame_address(0));
    if (base == nullptr) base = here;
    const ptrdiff_t depth = base - here;
    return depth > kLimit || -depth > kLimit;
}

} // namespace

Hooks hooks = {&no_interrupt, ignore_interrupt, lua_resume, is_beyond_own_limit};

} // namespace pllua_bg::lua
