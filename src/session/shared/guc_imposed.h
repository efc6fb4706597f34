// Settings that the session's user may not change: what is in force in the launcher is in force in
// the worker. Owns nothing.
#pragma once

#include "pg/server.h"

struct config_generic;

namespace pllua_bg::session {

struct SettingMessage;

// True when the setting is imposed on the worker instead of being set there as its user could.
// Errors: none.
bool is_imposed(const struct config_generic *setting);
// Appends the libraries of this process, and a message for each such setting that has
// another value than it has for the whole server; true when there are any. Elsewhere: without what
// another database has its own of, and without libraries. Errors: pg (memory).
bool write_imposed(StringInfo frames, bool elsewhere);
// The same for those that have not: for a worker where something else may have been set, for its
// user or by an earlier launch. Errors: pg (memory).
void write_server_settings(StringInfo frames);

// Worker: loads those of these libraries that it has not loaded yet. Errors: pg.
void load_libraries(char *paths);
// Worker: gives a setting its value, for RESET too, whoever the user is and whatever has been set
// for him. Call in a transaction that has set nothing. Errors: pg (the value is refused).
void impose(const SettingMessage &setting);

} // namespace pllua_bg::session
