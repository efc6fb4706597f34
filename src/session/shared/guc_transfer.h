// Carrying the launching session's settings over to a worker.
// Owns nothing.
#pragma once

#include "session/session.h"
#include "session/shared/message.h"

namespace pllua_bg::session {

// Appends the libraries and a message for each setting of this session that the worker is to
// have, but for those complete_settings() adds; true when something is imposed on the user.
// Elsewhere, in another database, what is set for that and for roles in it is in force. Errors: pg
// (memory).
bool write_session_settings(StringInfo frames, bool elsewhere);
// Puts the values of the server in front, for a worker that may have others: a new one, or one on
// which something was imposed before. Errors: pg (memory).
void complete_settings(StringInfo frames);
// Checks and appends settings the user asked for. Errors: pg 42704, 22023, 42501.
void write_asked_settings(StringInfo frames, const LaunchOptions &options);
// Writes the server the options name, and for what is run there the settings they ask for, and that
// it is read-only when this session is. Errors: pg (memory).
void write_server(StringInfo frames, const LaunchOptions &options, const ServerSecret &secret);

// Worker: makes client_encoding the server's, for good. Call in a transaction. Errors: pg.
void fix_client_encoding();
// Worker: switches off what concerns a client, wherever it was set, for RESET too; the session
// itself may set it. Errors: pg.
void switch_client_settings_off();
// Worker: applies a setting. Call in a transaction that has set nothing but such. Errors:
// pg (what is imposed cannot be set); what the user may not set is left as it is.
void apply_setting(const SettingMessage &setting);

} // namespace pllua_bg::session
