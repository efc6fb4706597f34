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
// Appends a message for such a setting, if it has another value than it has for the whole server.
// Elsewhere: but for what another database has its own of. Errors: pg (memory).
void write_imposed(StringInfo frames, const struct config_generic *setting, bool elsewhere);
// The same for all that have not: for a worker where something else may have been set, for its
// user or by an earlier launch. Errors: pg (memory).
void write_server_settings(StringInfo frames);

// Worker: loads those of these libraries that it has not loaded yet. Errors: pg.
void load_libraries(char *paths);
// Worker: gives a setting its value, for RESET too, whoever the user is and whatever has been set
// for him. Call in a transaction that has set nothing. Errors: pg (the value is refused).
void impose(const SettingMessage &setting);

} // namespace pllua_bg::session
