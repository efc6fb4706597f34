// The last resort against work inside one instruction of Lua that no hook can interrupt (a chain
// of __call, keys that all collide, a collection of a million weak tables): when a cancel or a
// termination has waited for seconds of processor time and the process is in the code of Lua itself
// all the while, the backend ends as by a FATAL error. Owns SIGVTALRM and its timer.
#pragma once

namespace pllua_bg::pg {

// Finds the code of Lua by one of its functions. Where it has none of its own (linked statically),
// or on a processor other than x86-64 and arm64, there is no last resort. Called once a process,
// before the others. Errors: none.
void watch_code(void (*function)());

// A cancel or a termination waits for running Lua code. Async-signal-safe. Errors: none.
void expect_service();

// Lua was left in the middle of an instruction: nothing of it may be touched any more.
// Errors: none.
bool is_lua_abandoned();

} // namespace pllua_bg::pg
