-- The functions of pg_background on the sessions of pllua_bg. What they do is in lua/pg_background.
\echo Use "CREATE EXTENSION pllua_pg_background" to load this file. \quit

-- The owner of a schema can add functions to it that are found before ours, and drop it with what is in it.

DO LANGUAGE pllua_bg $lua$
    local foreign = spi.execute([[
        select n.nspname as schema, r.rolname as owner
        from pg_catalog.pg_namespace n join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) n.nspowner
        where n.nspname operator(pg_catalog.=) pg_catalog.current_schema() and not r.rolsuper
            and r.rolname operator(pg_catalog.<>) all (array[current_user, 'pg_database_owner']::pg_catalog.name[])]])[1]
    if foreign then
        spi.error('insufficient_privilege',
            ('schema "%s" belongs to %s, who could replace the functions of pllua_pg_background'):format(foreign.schema, foreign.owner),
            nil, 'Install it into a schema of your own: CREATE EXTENSION pllua_pg_background SCHEMA ...')
    end
$lua$;

-- Types. A handle names a worker: pids are used again, cookies are not.

CREATE TYPE pg_background_handle AS (pid int, cookie bigint);

CREATE TYPE pg_background_stats AS (
    workers_launched bigint, workers_completed bigint, workers_failed bigint, workers_canceled bigint,
    workers_timed_out bigint, workers_active int, avg_execution_ms float8, max_workers int);

CREATE TYPE pg_background_progress AS (progress_pct int, progress_msg text);
CREATE TYPE pg_background_progress_info AS (progress_pct int, progress_msg text);

CREATE TYPE pg_background_result_info AS (
    row_count bigint, command_tag text, completed boolean, has_error boolean, started_at timestamptz,
    finished_at timestamptz);

CREATE TYPE pg_background_error AS (
    sqlstate text, message text, detail text, hint text, context text, schema_name text, table_name text,
    column_name text, constraint_name text);

CREATE TYPE pg_background_outcome AS (
    pid int, cookie bigint, state text, consumed boolean, completed boolean, has_error boolean, row_count bigint,
    command_tag text, sqlstate text, error_message text, label text, launched_at timestamptz);

CREATE TYPE pg_background_run_result AS (
    pid int, cookie bigint, state text, consumed boolean, completed boolean, has_error boolean, row_count bigint,
    command_tag text, sqlstate text, error_message text, label text, launched_at timestamptz, timed_out boolean,
    elapsed_ms bigint);

-- Workers named by their pid.

CREATE FUNCTION pg_background_launch() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').launch_session()
$lua$;

COMMENT ON FUNCTION pg_background_launch()
IS 'starts a background session and returns its pid';

CREATE FUNCTION pg_background_launch(sql text, queue_size int DEFAULT 0) RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').launch_once(sql, queue_size)
$lua$;

COMMENT ON FUNCTION pg_background_launch(text, int)
IS 'runs a command in a background worker and returns its pid';

CREATE FUNCTION pg_background_run(pid int, sql text) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    bg.run(pid, sql)
$lua$;

COMMENT ON FUNCTION pg_background_run(int, text)
IS 'sends a command to a background session, without waiting for it';

CREATE FUNCTION pg_background_result(pid int) RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').result_of_pid(pid)
$lua$;

COMMENT ON FUNCTION pg_background_result(int)
IS 'waits for the newest command whose result was not taken, and returns its rows';

CREATE FUNCTION pg_background_detach(pid int) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').detach_pid(pid)
$lua$;

COMMENT ON FUNCTION pg_background_detach(int)
IS 'lets a background session go: what was sent to it is finished, then it ends';

-- Workers named by a handle.

CREATE FUNCTION pg_background_launch(sql text, queue_size int, label text) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').launch(sql, queue_size, label)
$lua$;

COMMENT ON FUNCTION pg_background_launch(text, int, text)
IS 'runs a command in a background worker, with a label';

CREATE FUNCTION pg_background_launch_v2(sql text, queue_size int DEFAULT 0) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').launch(sql, queue_size)
$lua$;

COMMENT ON FUNCTION pg_background_launch_v2(text, int)
IS 'runs a command in a background worker';

CREATE FUNCTION pg_background_launch_v2(sql text, queue_size int, label text) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').launch(sql, queue_size, label)
$lua$;

COMMENT ON FUNCTION pg_background_launch_v2(text, int, text)
IS 'runs a command in a background worker, with a label';

CREATE FUNCTION pg_background_submit_v2(sql text, queue_size int DEFAULT 0) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').submit(sql, queue_size)
$lua$;

COMMENT ON FUNCTION pg_background_submit_v2(text, int)
IS 'runs a command in a background worker without keeping its result';

CREATE FUNCTION pg_background_submit_v2(sql text, queue_size int, label text) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').submit(sql, queue_size, label)
$lua$;

COMMENT ON FUNCTION pg_background_submit_v2(text, int, text)
IS 'runs a command in a background worker without keeping its result, with a label';

CREATE FUNCTION pg_background_submit(sql text, queue_size int DEFAULT 0) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').submit(sql, queue_size)
$lua$;

COMMENT ON FUNCTION pg_background_submit(text, int)
IS 'runs a command in a background worker without keeping its result';

CREATE FUNCTION pg_background_submit(sql text, queue_size int, label text) RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').submit(sql, queue_size, label)
$lua$;

COMMENT ON FUNCTION pg_background_submit(text, int, text)
IS 'runs a command in a background worker without keeping its result, with a label';

CREATE FUNCTION pg_background_result_v2(pid int, cookie bigint) RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').result(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_result_v2(int, bigint)
IS 'waits for a worker and returns its rows, once';

CREATE FUNCTION pg_background_result(pid int, cookie bigint) RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').result(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_result(int, bigint)
IS 'waits for a worker and returns its rows, once';

CREATE FUNCTION pg_background_detach_v2(pid int, cookie bigint) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').detach(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_detach_v2(int, bigint)
IS 'forgets a worker, which finishes its command';

CREATE FUNCTION pg_background_detach(pid int, cookie bigint) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').detach(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_detach(int, bigint)
IS 'forgets a worker, which finishes its command';

CREATE FUNCTION pg_background_detach_all_v2() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').detach_all()
$lua$;

COMMENT ON FUNCTION pg_background_detach_all_v2()
IS 'forgets all workers, which finish their commands';

CREATE FUNCTION pg_background_detach_all() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').detach_all()
$lua$;

COMMENT ON FUNCTION pg_background_detach_all()
IS 'forgets all workers, which finish their commands';

CREATE FUNCTION pg_background_cancel_v2(pid int, cookie bigint, grace_ms int DEFAULT 0) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').cancel(pid, cookie, grace_ms)
$lua$;

COMMENT ON FUNCTION pg_background_cancel_v2(int, bigint, int)
IS 'cancels the command of a worker; ends the worker when it still runs after the grace';

CREATE FUNCTION pg_background_cancel(pid int, cookie bigint, grace_ms int DEFAULT 0) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').cancel(pid, cookie, grace_ms)
$lua$;

COMMENT ON FUNCTION pg_background_cancel(int, bigint, int)
IS 'cancels the command of a worker; ends the worker when it still runs after the grace';

CREATE FUNCTION pg_background_cancel_v2_grace(pid int, cookie bigint, grace_ms int) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').cancel(pid, cookie, grace_ms)
$lua$;

COMMENT ON FUNCTION pg_background_cancel_v2_grace(int, bigint, int)
IS 'cancels the command of a worker; ends the worker when it still runs after the grace';

CREATE FUNCTION pg_background_cancel_all_v2() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').cancel_all()
$lua$;

COMMENT ON FUNCTION pg_background_cancel_all_v2()
IS 'cancels the commands of all workers';

CREATE FUNCTION pg_background_cancel_all() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').cancel_all()
$lua$;

COMMENT ON FUNCTION pg_background_cancel_all()
IS 'cancels the commands of all workers';

CREATE FUNCTION pg_background_cancel_by_label_v2(pattern text, grace_ms int DEFAULT 0) RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').cancel_by_label(pattern, grace_ms)
$lua$;

COMMENT ON FUNCTION pg_background_cancel_by_label_v2(text, int)
IS 'cancels the workers whose label is LIKE the pattern';

CREATE FUNCTION pg_background_cancel_by_label(pattern text, grace_ms int DEFAULT 0) RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').cancel_by_label(pattern, grace_ms)
$lua$;

COMMENT ON FUNCTION pg_background_cancel_by_label(text, int)
IS 'cancels the workers whose label is LIKE the pattern';

-- Waiting.

CREATE FUNCTION pg_background_wait_v2(pid int, cookie bigint) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').wait(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_wait_v2(int, bigint)
IS 'waits until the command of a worker is done';

CREATE FUNCTION pg_background_wait_v2(pid int, cookie bigint, timeout_ms int) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').wait(pid, cookie, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_wait_v2(int, bigint, int)
IS 'waits until the command of a worker is done; false after the timeout';

CREATE FUNCTION pg_background_wait_v2_timeout(pid int, cookie bigint, timeout_ms int) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').wait_timeout(pid, cookie, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_wait_v2_timeout(int, bigint, int)
IS 'waits until the command of a worker is done; false after the timeout';

CREATE FUNCTION pg_background_wait(pid int, cookie bigint, timeout_ms int DEFAULT 0) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').wait(pid, cookie, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_wait(int, bigint, int)
IS 'waits until the command of a worker is done; false after the timeout';

CREATE FUNCTION pg_background_wait_any_v2(
    handles pg_background_handle[], timeout_ms int DEFAULT 0)
    RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').wait_any(handles, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_wait_any_v2(pg_background_handle[], int)
IS 'the first worker that is done; NULL after the timeout';

CREATE FUNCTION pg_background_wait_any(
    handles pg_background_handle[], timeout_ms int DEFAULT 0)
    RETURNS pg_background_handle
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').wait_any(handles, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_wait_any(pg_background_handle[], int)
IS 'the first worker that is done; NULL after the timeout';

-- What is known of workers.

CREATE FUNCTION pg_background_list_v2() RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').list()
$lua$;

COMMENT ON FUNCTION pg_background_list_v2()
IS 'the workers of this session';

CREATE FUNCTION pg_background_list() RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').list()
$lua$;

COMMENT ON FUNCTION pg_background_list()
IS 'the workers of this session';

CREATE FUNCTION pg_background_stats_v2() RETURNS pg_background_stats
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').stats()
$lua$;

COMMENT ON FUNCTION pg_background_stats_v2()
IS 'numbers of workers of this session';

CREATE FUNCTION pg_background_stats() RETURNS pg_background_stats
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').stats()
$lua$;

COMMENT ON FUNCTION pg_background_stats()
IS 'numbers of workers of this session';

CREATE FUNCTION pg_background_record_timeout() RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').record_timeout()
$lua$;

COMMENT ON FUNCTION pg_background_record_timeout()
IS 'counts a timeout that the caller has noticed';

CREATE FUNCTION pg_background_progress(pct int, msg text DEFAULT NULL) RETURNS void
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    require('pg_background').report_progress(pct, msg)
$lua$;

COMMENT ON FUNCTION pg_background_progress(int, text)
IS 'tells from inside a worker how far its command is';

CREATE FUNCTION pg_background_report_progress(pct int, msg text DEFAULT NULL) RETURNS void
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    require('pg_background').report_progress(pct, msg)
$lua$;

COMMENT ON FUNCTION pg_background_report_progress(int, text)
IS 'tells from inside a worker how far its command is';

CREATE FUNCTION pg_background_get_progress_v2(pid int, cookie bigint) RETURNS pg_background_progress
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').progress(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_get_progress_v2(int, bigint)
IS 'how far a worker says it is; NULL when it said nothing';

CREATE FUNCTION pg_background_get_progress(pid int, cookie bigint) RETURNS pg_background_progress_info
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').progress(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_get_progress(int, bigint)
IS 'how far a worker says it is; NULL when it said nothing';

CREATE FUNCTION pg_background_result_info_v2(pid int, cookie bigint) RETURNS pg_background_result_info
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').result_info(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_result_info_v2(int, bigint)
IS 'what is known of the result of a worker, without taking it';

CREATE FUNCTION pg_background_result_info(pid int, cookie bigint) RETURNS pg_background_result_info
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').result_info(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_result_info(int, bigint)
IS 'what is known of the result of a worker, without taking it';

CREATE FUNCTION pg_background_error_info_v2(pid int, cookie bigint) RETURNS pg_background_error
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').error_info(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_error_info_v2(int, bigint)
IS 'the error of a worker; NULL when there is none';

CREATE FUNCTION pg_background_error_info(pid int, cookie bigint) RETURNS pg_background_error
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').error_info(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_error_info(int, bigint)
IS 'the error of a worker; NULL when there is none';

CREATE FUNCTION pg_background_outcome_v2(pid int, cookie bigint) RETURNS pg_background_outcome
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').outcome(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_outcome_v2(int, bigint)
IS 'what has become of a worker; raises nothing';

CREATE FUNCTION pg_background_outcome(pid int, cookie bigint) RETURNS pg_background_outcome
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').outcome(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_outcome(int, bigint)
IS 'what has become of a worker; raises nothing';

CREATE FUNCTION pg_background_status_v2(pid int, cookie bigint) RETURNS text
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').status(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_status_v2(int, bigint)
IS 'the state of a worker';

CREATE FUNCTION pg_background_status(pid int, cookie bigint) RETURNS text
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').status(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_status(int, bigint)
IS 'the state of a worker';

CREATE FUNCTION pg_background_full_sql_v2(pid int, cookie bigint) RETURNS text
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').full_sql(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_full_sql_v2(int, bigint)
IS 'the whole command of a worker';

CREATE FUNCTION pg_background_full_sql(pid int, cookie bigint) RETURNS text
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').full_sql(pid, cookie)
$lua$;

COMMENT ON FUNCTION pg_background_full_sql(int, bigint)
IS 'the whole command of a worker';

CREATE FUNCTION pg_background_purge_v2() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').purge()
$lua$;

COMMENT ON FUNCTION pg_background_purge_v2()
IS 'forgets the workers that have ended';

CREATE FUNCTION pg_background_purge() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return require('pg_background').purge()
$lua$;

COMMENT ON FUNCTION pg_background_purge()
IS 'forgets the workers that have ended';

-- Launch and wait in one call.

CREATE FUNCTION pg_background_run_v2(
    sql text, queue_size int DEFAULT 0, timeout_ms int DEFAULT 0, label text DEFAULT NULL)
    RETURNS pg_background_run_result
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').run(sql, queue_size, timeout_ms, label)
$lua$;

COMMENT ON FUNCTION pg_background_run_v2(text, int, int, text)
IS 'runs a command in a background worker and returns what has become of it';

CREATE FUNCTION pg_background_run(
    sql text, queue_size int DEFAULT 0, timeout_ms int DEFAULT 0, label text DEFAULT NULL)
    RETURNS pg_background_run_result
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    return require('pg_background').run(sql, queue_size, timeout_ms, label)
$lua$;

COMMENT ON FUNCTION pg_background_run(text, int, int, text)
IS 'runs a command in a background worker and returns what has become of it';

CREATE FUNCTION pg_background_run_query_v2(
    sql text, queue_size int DEFAULT 0, timeout_ms int DEFAULT 0, label text DEFAULT NULL, col_def text DEFAULT NULL)
    RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    require('pg_background').run_query(sql, queue_size, timeout_ms, label)
$lua$;

COMMENT ON FUNCTION pg_background_run_query_v2(text, int, int, text, text)
IS 'runs a command in a background worker and returns its rows';

CREATE FUNCTION pg_background_run_query(
    sql text, queue_size int DEFAULT 0, timeout_ms int DEFAULT 0, label text DEFAULT NULL, col_def text DEFAULT NULL)
    RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE PARALLEL UNSAFE AS $lua$
    require('pg_background').run_query(sql, queue_size, timeout_ms, label)
$lua$;

COMMENT ON FUNCTION pg_background_run_query(text, int, int, text, text)
IS 'runs a command in a background worker and returns its rows';

CREATE FUNCTION pg_background_drain_v2(
    handles pg_background_handle[], timeout_ms int DEFAULT 0)
    RETURNS SETOF pg_background_outcome
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').drain(handles, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_drain_v2(pg_background_handle[], int)
IS 'waits for workers, returns what has become of each, and forgets them';

CREATE FUNCTION pg_background_drain(
    handles pg_background_handle[], timeout_ms int DEFAULT 0)
    RETURNS SETOF pg_background_outcome
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    require('pg_background').drain(handles, timeout_ms)
$lua$;

COMMENT ON FUNCTION pg_background_drain(pg_background_handle[], int)
IS 'waits for workers, returns what has become of each, and forgets them';

-- Views.

CREATE VIEW pg_background_list AS
SELECT * FROM pg_background_list() AS (
    pid int, cookie bigint, launched_at timestamptz, user_id oid, queue_size int, state text, sql_preview text,
    last_error text, consumed boolean, label text);

CREATE VIEW pg_background_activity AS
SELECT w.*, a.application_name, a.backend_start, a.xact_start, a.query_start, a.state_change, a.wait_event_type,
       a.wait_event, a.state AS backend_state, a.query
FROM pg_background_list w
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid AND w.state = 'running';

COMMENT ON VIEW pg_background_list IS 'the workers of this session';
COMMENT ON VIEW pg_background_activity IS 'the workers of this session and what their processes do';

-- Privileges: by grant, of schema bg and of what is here.

CREATE FUNCTION grant_pg_background_privileges(user_name text, print_commands boolean DEFAULT false) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $lua$
    return require('pg_background').grant(user_name, print_commands)
$lua$;

COMMENT ON FUNCTION grant_pg_background_privileges(text, boolean)
IS 'lets a role use the functions of pg_background';

CREATE FUNCTION pg_background_grant_privileges(user_name text, print_commands boolean DEFAULT false) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $lua$
    return require('pg_background').grant(user_name, print_commands)
$lua$;

COMMENT ON FUNCTION pg_background_grant_privileges(text, boolean)
IS 'lets a role use the functions of pg_background';

CREATE FUNCTION revoke_pg_background_privileges(user_name text, print_commands boolean DEFAULT false) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $lua$
    return require('pg_background').revoke(user_name, print_commands)
$lua$;

COMMENT ON FUNCTION revoke_pg_background_privileges(text, boolean)
IS 'takes the functions of pg_background from a role';

CREATE FUNCTION pg_background_revoke_privileges(user_name text, print_commands boolean DEFAULT false) RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $lua$
    return require('pg_background').revoke(user_name, print_commands)
$lua$;

COMMENT ON FUNCTION pg_background_revoke_privileges(text, boolean)
IS 'takes the functions of pg_background from a role';

CREATE FUNCTION pg_background_drop_executor_role() RETURNS boolean
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $lua$
    return require('pg_background').drop_executor_role()
$lua$;

COMMENT ON FUNCTION pg_background_drop_executor_role()
IS 'drops the role pgbackground_role if it was made here';

REVOKE ALL ON FUNCTION
    pg_background_launch(),
    pg_background_launch(text, int),
    pg_background_run(int, text),
    pg_background_result(int),
    pg_background_detach(int),
    pg_background_launch(text, int, text),
    pg_background_launch_v2(text, int),
    pg_background_launch_v2(text, int, text),
    pg_background_submit_v2(text, int),
    pg_background_submit_v2(text, int, text),
    pg_background_submit(text, int),
    pg_background_submit(text, int, text),
    pg_background_result_v2(int, bigint),
    pg_background_result(int, bigint),
    pg_background_detach_v2(int, bigint),
    pg_background_detach(int, bigint),
    pg_background_detach_all_v2(),
    pg_background_detach_all(),
    pg_background_cancel_v2(int, bigint, int),
    pg_background_cancel(int, bigint, int),
    pg_background_cancel_v2_grace(int, bigint, int),
    pg_background_cancel_all_v2(),
    pg_background_cancel_all(),
    pg_background_cancel_by_label_v2(text, int),
    pg_background_cancel_by_label(text, int),
    pg_background_wait_v2(int, bigint),
    pg_background_wait_v2(int, bigint, int),
    pg_background_wait_v2_timeout(int, bigint, int),
    pg_background_wait(int, bigint, int),
    pg_background_wait_any_v2(pg_background_handle[], int),
    pg_background_wait_any(pg_background_handle[], int),
    pg_background_list_v2(),
    pg_background_list(),
    pg_background_stats_v2(),
    pg_background_stats(),
    pg_background_record_timeout(),
    pg_background_progress(int, text),
    pg_background_report_progress(int, text),
    pg_background_get_progress_v2(int, bigint),
    pg_background_get_progress(int, bigint),
    pg_background_result_info_v2(int, bigint),
    pg_background_result_info(int, bigint),
    pg_background_error_info_v2(int, bigint),
    pg_background_error_info(int, bigint),
    pg_background_outcome_v2(int, bigint),
    pg_background_outcome(int, bigint),
    pg_background_status_v2(int, bigint),
    pg_background_status(int, bigint),
    pg_background_full_sql_v2(int, bigint),
    pg_background_full_sql(int, bigint),
    pg_background_purge_v2(),
    pg_background_purge(),
    pg_background_run_v2(text, int, int, text),
    pg_background_run(text, int, int, text),
    pg_background_run_query_v2(text, int, int, text, text),
    pg_background_run_query(text, int, int, text, text),
    pg_background_drain_v2(pg_background_handle[], int),
    pg_background_drain(pg_background_handle[], int),
    grant_pg_background_privileges(text, boolean),
    pg_background_grant_privileges(text, boolean),
    revoke_pg_background_privileges(text, boolean),
    pg_background_revoke_privileges(text, boolean),
    pg_background_drop_executor_role()
FROM PUBLIC;
