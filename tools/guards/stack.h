// What the parts of the library that tools/check-guards preloads into the server share: where the module, Lua and the
// server lie in memory, the server's innermost handler, and reports. x86-64 only.
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef __x86_64__
#error "only the stack frames of x86-64 are known here"
#endif

namespace guards {

using Address = std::uintptr_t;

// The program text of a file that is mapped, and where the file begins.
struct Range {
    Address low = 0, high = 0, base = 0;
    bool has(Address at) const { return at >= low && at < high; }
};

extern Range module, lua, server; // module and lua are empty until the module is loaded

// The address of the server's innermost sigjmp_buf; the highest one when there is none.
Address handler();
// The address of the frame of the innermost error context callback.
Address error_context();

// A line to standard error, which is the server's log: "check-guards: [pid] ...".
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The same, with the frames of the stack, and the end of this process.
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_stack();

// The youngest frame of Lua that is younger than `limit`; 0 when there is none before a signal's frame.
Address lua_frame_below(Address limit);

// The module's calls go through this from now on (calls.cpp).
void watch_calls();
// Is a call of the module's running?
bool inside_module(Address stack);
// Whoever reports errors is looked at from now on (jumps.cpp).
void watch_errors();
// Allocations fail from now on as the environment says (allocations.cpp).
void watch_allocations();

} // namespace guards
