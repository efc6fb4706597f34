// Functions that return sets (srf.cpp).
#pragma once

#include "pl/call_site.h"

namespace pllua_bg::pl {

// One row of the function, or all of them. Errors: pg.
Datum call_srf(FunctionCallInfo fcinfo, CallSite *site);
// True when a function of this site is suspended: the next call goes on with
// it, whatever has changed.
bool is_suspended(const CallSite *site);

} // namespace pllua_bg::pl
