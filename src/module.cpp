// The library's entrance: brings the floors up in order. Owns nothing.
#include "pg/compat.h"
#include "pg/server.h"

#include "api/api.h"
#include "pg/fault.h"
#include "pg/params.h"
#include "pg/plans.h"
#include "pg/settings.h"
#include "pg/steps.h"
#include "pg/subxact.h"
#include "pl/call.h"
#include "pl/expected.h"
#include "pl/table_param.h"
#include "session/session.h"
#include "types/types.h"

extern "C" {
extern PLLUA_BG_EXPORT const Pg_magic_struct *PG_MAGIC_FUNCTION_NAME(void);
PG_MODULE_MAGIC;
PLLUA_BG_EXPORT void _PG_init(void);
}

namespace pllua_bg {

static void install_hooks() {
    pl::install_expected_row();
    pg::table_hooks = {pl::natural_type_of_table, pl::convert_table};
}

static void fail_at_the_end() { pg::fault("load"); }

} // namespace pllua_bg

// The server calls this again when it has failed, for want of memory: what was done stays done.
void _PG_init(void) {
    using namespace pllua_bg;
    static const pg::Step steps[] = {
        pg::define_settings, pg::initialize_subxact, pg::initialize_plans,
        api::initialize,     types::initialize,      pl::initialize,
        install_hooks,       session::initialize,    fail_at_the_end,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}
