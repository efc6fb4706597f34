// The ways to call a function, by its kind. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pl {

// Calls by kind of function (call.cpp, trigger.cpp, event_trigger.cpp). Errors: pg.
Datum call_function(FunctionCallInfo fcinfo, bool trusted);
Datum call_trigger(FunctionCallInfo fcinfo, bool trusted);
Datum call_event_trigger(FunctionCallInfo fcinfo, bool trusted);

// The hooks of the same names of types::Hooks and api::Hooks. Errors: none.
Oid argument_type(int n);
TupleDesc expected_row();

// Registers what this floor needs from others. Called once from _PG_init.
void initialize();

} // namespace pllua_bg::pl
