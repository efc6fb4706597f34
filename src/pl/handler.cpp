// The entry points of the languages that the server calls. Owns nothing.
#include "pg/compat.h"
#include "pg/server.h"

extern "C" {
#include "commands/event_trigger.h"
#include "commands/trigger.h"
}

#include "pl/call.h"
#include "pl/inline.h"
#include "pl/validator.h"

PLLUA_BG_SQL_FUNCTION(pllua_bg_call_handler)
PLLUA_BG_SQL_FUNCTION(pllua_bg_inline_handler)
PLLUA_BG_SQL_FUNCTION(pllua_bg_validator)
PLLUA_BG_SQL_FUNCTION(pllua_bg_untrusted_call_handler)
PLLUA_BG_SQL_FUNCTION(pllua_bg_untrusted_inline_handler)
PLLUA_BG_SQL_FUNCTION(pllua_bg_untrusted_validator)

namespace pllua_bg::pl {

namespace {

Datum handle_call(FunctionCallInfo fcinfo, bool trusted) {
    if (fcinfo->context != nullptr) {
        if (CALLED_AS_TRIGGER(fcinfo)) return call_trigger(fcinfo, trusted);
        if (CALLED_AS_EVENT_TRIGGER(fcinfo)) return call_event_trigger(fcinfo, trusted);
    }
    return call_function(fcinfo, trusted);
}

} // namespace

} // namespace pllua_bg::pl

using namespace pllua_bg::pl;

Datum pllua_bg_call_handler(PG_FUNCTION_ARGS) { return handle_call(fcinfo, true); }

Datum pllua_bg_inline_handler(PG_FUNCTION_ARGS) {
    run_block(castNode(InlineCodeBlock, DatumGetPointer(PG_GETARG_DATUM(0))), true);
    PG_RETURN_VOID();
}

Datum pllua_bg_validator(PG_FUNCTION_ARGS) {
    validate_function(fcinfo->flinfo->fn_oid, PG_GETARG_OID(0), true);
    PG_RETURN_VOID();
}

Datum pllua_bg_untrusted_call_handler(PG_FUNCTION_ARGS) { return handle_call(fcinfo, false); }

Datum pllua_bg_untrusted_inline_handler(PG_FUNCTION_ARGS) {
    run_block(castNode(InlineCodeBlock, DatumGetPointer(PG_GETARG_DATUM(0))), false);
    PG_RETURN_VOID();
}

Datum pllua_bg_untrusted_validator(PG_FUNCTION_ARGS) {
    validate_function(fcinfo->flinfo->fn_oid, PG_GETARG_OID(0), false);
    PG_RETURN_VOID();
}
