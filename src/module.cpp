// The library's entrance: brings the floors up in order. Owns nothing.
#include "pg/compat.h"
#include "pg/server.h"

#include "api/hooks.h"
#include "api/lang/errors.h"
#include "api/lang/protect.h"
#include "api/spi/cursor.h"
#include "jobs/jobs.h"
#include "lua/hooks.h"
#include "pg/after_commit.h"
#include "pg/fault.h"
#include "pg/hooks.h"
#include "pg/plans.h"
#include "pg/reserve.h"
#include "pg/settings.h"
#include "pg/steps.h"
#include "pg/subxact.h"
#include "pl/call.h"
#include "pl/interpreter.h"
#include "pl/table_param.h"
#include "pl/transform.h"
#include "remote/remote.h"
#include "session/hooks.h"
#include "session/session.h"
#include "types/hooks.h"
#include "types/types.h"

extern "C" {
extern PLLUA_BG_EXPORT const Pg_magic_struct *PG_MAGIC_FUNCTION_NAME(void);
PG_MODULE_MAGIC;
PLLUA_BG_EXPORT void _PG_init(void);
}

namespace pllua_bg {

namespace {

void commit_is_known() {
    session::begin_committed_work();
    jobs::tell_of_committed();
}

// Where a floor calls upward.
void install_hooks() {
    lua::hooks = {
        .interrupt_flag = &InterruptPending,
        .serve_interrupt = api::serve_server_interrupt,
        .resume_finalizer = api::resume_finalizer,
        .stack_is_too_deep = stack_is_too_deep,
    };
    pg::hooks = {
        .raise_in_lua = api::raise_error_data,
        .notice_interrupt = pl::notice_interrupt,
        .commit_is_known = commit_is_known,
        .largest_interpreter = pl::largest_interpreter,
        .collect_garbage = pl::collect_garbage,
        .pool_size_changes = session::trim_pool,
        .own_type_of_table = pl::own_type_of_table,
        .convert_table = pl::convert_table,
    };
    session::hooks = {
        .check_server = remote::check_server,
        .connect_to_server = remote::connect_to_server,
    };
    types::hooks = {
        .argument_type = pl::argument_type,
        .make_cursor = api::make_named,
        .push_cursor_name = api::push_cursor_name,
        .transform_from_sql = pl::transform_from_sql,
        .transform_to_sql = pl::transform_to_sql,
    };
    api::hooks = {.expected_row = pl::expected_row};
}

void fail_at_the_end() { pg::fault("load"); }

} // namespace

} // namespace pllua_bg

// The server calls this again when it has failed, for want of memory: what was done stays done.
void _PG_init(void) {
    using namespace pllua_bg;
    static const pg::Step steps[] = {
        install_hooks,
        pg::define_settings,
        pg::initialize_reserve,
        pg::initialize_subxact,
        pg::initialize_after_commit,
        pg::initialize_plans,
        types::initialize,
        pl::initialize,
        session::initialize,
        jobs::initialize,
        fail_at_the_end,
    };
    static size_t done = 0;
    pg::do_rest(steps, &done);
}
