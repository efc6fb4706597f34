// The library's entrance: brings the floors up in order. Owns nothing.
#include "pg/compat.h"
#include "pg/server.h"

#include "api/api.h"
#include "pg/params.h"
#include "pg/plans.h"
#include "pg/settings.h"
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

void _PG_init(void) {
    using namespace pllua_bg;
    pg::define_settings();
    pg::initialize_subxact();
    pg::initialize_plans();
    api::initialize();
    types::initialize();
    pl::initialize();
    pl::install_expected_row();
    pg::table_hooks = {pl::natural_type_of_table, pl::convert_table};
    session::initialize();
}
