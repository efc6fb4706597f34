-- The functions of pg_background, for the bodies in sql/pllua_pg_background--*.sql.

local control = require 'pg_background.control'
local grant = require 'pg_background.grant'
local launch = require 'pg_background.launch'
local report = require 'pg_background.report'
local run = require 'pg_background.run'
local workers = require 'pg_background.worker'

-- A function of a worker as one of its handle.
local function of_handle(fn)
    return function(pid, cookie, ...) return fn(workers.by_handle(pid, cookie), ...) end
end

return {
    launch_session = launch.launch_session,
    launch_once = launch.launch_once,
    launch = launch.launch,
    submit = launch.submit,
    result_of_pid = function(pid) launch.give(workers.with_result(pid)) end,
    detach_pid = function(pid) workers.forget(workers.by_pid(pid)) end,
    result = of_handle(launch.give),
    detach = of_handle(workers.forget),
    detach_all = control.detach_all,
    cancel = of_handle(control.cancel),
    cancel_all = control.cancel_all,
    cancel_by_label = control.cancel_by_label,
    wait = of_handle(control.wait),
    wait_timeout = of_handle(control.wait_timeout),
    wait_any = control.wait_any,
    list = report.list,
    stats = report.stats,
    record_timeout = report.record_timeout,
    report_progress = report.report_progress,
    progress = of_handle(report.progress),
    result_info = of_handle(report.result_info),
    error_info = of_handle(report.error_info),
    outcome = report.outcome_of,
    status = of_handle(workers.state),
    full_sql = of_handle(report.full_sql),
    run = run.run,
    run_query = run.run_query,
    drain = run.drain,
    purge = control.purge,
    grant = grant.grant,
    revoke = grant.revoke,
    drop_executor_role = grant.drop_executor_role,
}
