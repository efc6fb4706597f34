// Tells Lua code of the module bg what columns the running call has to return. Owns nothing.
#pragma once

namespace pllua_bg::pl {

// Sets api::expected_row. Called once from _PG_init. Errors: none.
void install_expected_row();

} // namespace pllua_bg::pl
