// The function that an administrator wants to be run when an interpreter starts:
// pllua_bg.start_proc, pllua_bg.untrusted_start_proc.
#pragma once

namespace pllua_bg::pl {

// Calls the function that the setting names, if it does, as the current user, in whose interpreter
// it runs. Errors: pg: 42883, 42501, 42P13, its own.
void run_start_proc(bool trusted);

} // namespace pllua_bg::pl
