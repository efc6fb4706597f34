// The test of the C stack without a server, and the prebuilt error.
#include "lua/stack.h"

#include <cstddef>

#include "lua/error.h"
#include "lua/state.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr char kTooDeep = 0; // registry key of the error: its address

constexpr std::ptrdiff_t kOwnLimit = 1024 * 1024;
const char *stack_base = nullptr;

} // namespace

bool is_beyond_own_limit() {
    const auto *here = static_cast<const char *>(__builtin_frame_address(0));
    const std::ptrdiff_t depth = stack_base - here;
    return depth > kOwnLimit || -depth > kOwnLimit;
}

void push_stack_too_deep(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &kTooDeep); }

void raise_stack_too_deep(lua_State *L) {
    need_stack(L, 1);
    push_stack_too_deep(L);
    lua_error(L);
    __builtin_unreachable();
}

void initialize_stack_error(lua_State *L) {
    if (stack_base == nullptr) stack_base = static_cast<const char *>(__builtin_frame_address(0));
    ErrorFields fields = {};
    fields.severity = "ERROR";
    fields.sqlstate = "54001";
    fields.message = "stack depth limit exceeded";
    fields.hint = "Calls are nested too deeply, or \"max_stack_depth\" is too low for them.";
    push_error(L, fields);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kTooDeep);
}

} // namespace pllua_bg::lua
