// Kept plans and changed row types. See plans.h for the contracts. Owns the mark that a column of
// some relation has changed.
#include "pg/plans.h"

extern "C" {
#include "utils/inval.h"
#include "utils/plancache.h"
}

namespace pllua_bg::pg {

namespace {

bool columns_changed;

void note_change(Datum, int, uint32) { columns_changed = true; }

} // namespace

void refresh_plans() {
    AcceptInvalidationMessages();
    if (!columns_changed) return;
    columns_changed = false;
    ResetPlanCache();
}

void initialize_plans() { CacheRegisterSyscacheCallback(ATTNUM, note_change, 0); }

} // namespace pllua_bg::pg
