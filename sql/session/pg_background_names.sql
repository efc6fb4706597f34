-- pg_background: every function, type and view of its versions 1.0 to 2.0 is here as listed, and nothing else but what the seed has.
-- since|name|arguments|result; all are volatile. In 2.0 pg_background_launch(text, int) returns a handle.
create temp table listed (since text, name text, arguments text, result text);
\copy listed from stdin with (delimiter '|')
seed|pg_background_launch||integer
seed|pg_background_run|pid integer, sql text|void
1.0|pg_background_launch|sql text, queue_size integer DEFAULT 0|integer
1.0|pg_background_result|pid integer|SETOF record
1.0|pg_background_detach|pid integer|void
1.0|grant_pg_background_privileges|user_name text, print_commands boolean DEFAULT false|boolean
1.0|revoke_pg_background_privileges|user_name text, print_commands boolean DEFAULT false|boolean
1.6|pg_background_launch_v2|sql text, queue_size integer DEFAULT 0|pg_background_handle
1.6|pg_background_submit_v2|sql text, queue_size integer DEFAULT 0|pg_background_handle
1.6|pg_background_result_v2|pid integer, cookie bigint|SETOF record
1.6|pg_background_detach_v2|pid integer, cookie bigint|void
1.6|pg_background_cancel_v2|pid integer, cookie bigint, grace_ms integer DEFAULT 0|void
1.6|pg_background_cancel_v2_grace|pid integer, cookie bigint, grace_ms integer|void
1.6|pg_background_wait_v2|pid integer, cookie bigint|void
1.6|pg_background_wait_v2_timeout|pid integer, cookie bigint, timeout_ms integer|boolean
1.6|pg_background_list_v2||SETOF record
1.8|pg_background_stats_v2||pg_background_stats
1.8|pg_background_progress|pct integer, msg text DEFAULT NULL::text|void
1.8|pg_background_get_progress_v2|pid integer, cookie bigint|pg_background_progress
1.9|pg_background_launch_v2|sql text, queue_size integer, label text|pg_background_handle
1.9|pg_background_submit_v2|sql text, queue_size integer, label text|pg_background_handle
1.9|pg_background_result_info_v2|pid integer, cookie bigint|pg_background_result_info
1.9|pg_background_error_info_v2|pid integer, cookie bigint|pg_background_error
1.9|pg_background_outcome_v2|pid integer, cookie bigint|pg_background_outcome
1.9|pg_background_status_v2|pid integer, cookie bigint|text
1.9|pg_background_full_sql_v2|pid integer, cookie bigint|text
1.9|pg_background_run_v2|sql text, queue_size integer DEFAULT 0, timeout_ms integer DEFAULT 0, label text DEFAULT NULL::text|pg_background_run_result
1.9|pg_background_run_query_v2|sql text, queue_size integer DEFAULT 0, timeout_ms integer DEFAULT 0, label text DEFAULT NULL::text, col_def text DEFAULT NULL::text|SETOF record
1.9|pg_background_drain_v2|handles pg_background_handle[], timeout_ms integer DEFAULT 0|SETOF pg_background_outcome
1.9|pg_background_wait_v2|pid integer, cookie bigint, timeout_ms integer|boolean
1.9|pg_background_wait_any_v2|handles pg_background_handle[], timeout_ms integer DEFAULT 0|pg_background_handle
1.9|pg_background_cancel_all_v2||integer
1.9|pg_background_cancel_by_label_v2|pattern text, grace_ms integer DEFAULT 0|integer
1.9|pg_background_detach_all_v2||integer
1.9|pg_background_purge_v2||integer
2.0|pg_background_launch|sql text, queue_size integer, label text|pg_background_handle
2.0|pg_background_submit|sql text, queue_size integer DEFAULT 0|pg_background_handle
2.0|pg_background_submit|sql text, queue_size integer, label text|pg_background_handle
2.0|pg_background_result|pid integer, cookie bigint|SETOF record
2.0|pg_background_detach|pid integer, cookie bigint|void
2.0|pg_background_detach_all||integer
2.0|pg_background_cancel|pid integer, cookie bigint, grace_ms integer DEFAULT 0|void
2.0|pg_background_cancel_all||integer
2.0|pg_background_cancel_by_label|pattern text, grace_ms integer DEFAULT 0|integer
2.0|pg_background_wait|pid integer, cookie bigint, timeout_ms integer DEFAULT 0|boolean
2.0|pg_background_wait_any|handles pg_background_handle[], timeout_ms integer DEFAULT 0|pg_background_handle
2.0|pg_background_list||SETOF record
2.0|pg_background_stats||pg_background_stats
2.0|pg_background_record_timeout||void
2.0|pg_background_report_progress|pct integer, msg text DEFAULT NULL::text|void
2.0|pg_background_get_progress|pid integer, cookie bigint|pg_background_progress_info
2.0|pg_background_result_info|pid integer, cookie bigint|pg_background_result_info
2.0|pg_background_error_info|pid integer, cookie bigint|pg_background_error
2.0|pg_background_outcome|pid integer, cookie bigint|pg_background_outcome
2.0|pg_background_status|pid integer, cookie bigint|text
2.0|pg_background_full_sql|pid integer, cookie bigint|text
2.0|pg_background_run|sql text, queue_size integer DEFAULT 0, timeout_ms integer DEFAULT 0, label text DEFAULT NULL::text|pg_background_run_result
2.0|pg_background_run_query|sql text, queue_size integer DEFAULT 0, timeout_ms integer DEFAULT 0, label text DEFAULT NULL::text, col_def text DEFAULT NULL::text|SETOF record
2.0|pg_background_drain|handles pg_background_handle[], timeout_ms integer DEFAULT 0|SETOF pg_background_outcome
2.0|pg_background_purge||integer
2.0|pg_background_grant_privileges|user_name text, print_commands boolean DEFAULT false|boolean
2.0|pg_background_revoke_privileges|user_name text, print_commands boolean DEFAULT false|boolean
2.0|pg_background_drop_executor_role||boolean
\.
-- since|name|kind (c: type, v: view)|columns
create temp table listed_rows (since text, name text, kind text, columns text);
\copy listed_rows from stdin with (delimiter '|')
1.6|pg_background_handle|c|pid integer, cookie bigint
1.8|pg_background_stats|c|workers_launched bigint, workers_completed bigint, workers_failed bigint, workers_canceled bigint, workers_timed_out bigint, workers_active integer, avg_execution_ms double precision, max_workers integer
1.8|pg_background_progress|c|progress_pct integer, progress_msg text
2.0|pg_background_progress_info|c|progress_pct integer, progress_msg text
1.9|pg_background_result_info|c|row_count bigint, command_tag text, completed boolean, has_error boolean, started_at timestamp with time zone, finished_at timestamp with time zone
1.9|pg_background_error|c|sqlstate text, message text, detail text, hint text, context text, schema_name text, table_name text, column_name text, constraint_name text
1.9|pg_background_outcome|c|pid integer, cookie bigint, state text, consumed boolean, completed boolean, has_error boolean, row_count bigint, command_tag text, sqlstate text, error_message text, label text, launched_at timestamp with time zone
1.9|pg_background_run_result|c|pid integer, cookie bigint, state text, consumed boolean, completed boolean, has_error boolean, row_count bigint, command_tag text, sqlstate text, error_message text, label text, launched_at timestamp with time zone, timed_out boolean, elapsed_ms bigint
2.0|pg_background_list|v|pid integer, cookie bigint, launched_at timestamp with time zone, user_id oid, queue_size integer, state text, sql_preview text, last_error text, consumed boolean, label text
2.0|pg_background_activity|v|pid integer, cookie bigint, launched_at timestamp with time zone, user_id oid, queue_size integer, state text, sql_preview text, last_error text, consumed boolean, label text, application_name text, backend_start timestamp with time zone, xact_start timestamp with time zone, query_start timestamp with time zone, state_change timestamp with time zone, wait_event_type text, wait_event text, backend_state text, query text
\.

-- What the extension has.
create temp view members as
select d.classid, d.objid from pg_depend d join pg_extension e on d.refobjid = e.oid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'pllua_pg_background';
create temp view functions as
select proname::text as name, pg_get_function_arguments(oid) as arguments, pg_get_function_result(oid) as result
from pg_proc join members on classid = 'pg_proc'::regclass and objid = oid where provolatile = 'v' and prokind = 'f';
create temp view rows as
select c.relname::text as name, c.relkind::text as kind, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) as columns
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where exists (select from members where objid in (c.oid, c.reltype)) group by c.oid;
create temp view differences as
(select 'missing' as what, name, arguments, result from listed except select 'missing', * from functions)
union all (select 'unknown', * from functions except select 'unknown', name, arguments, result from listed)
union all (select 'missing', name, kind, columns from listed_rows except select 'missing', * from rows)
union all (select 'unknown', * from rows except select 'unknown', name, kind, columns from listed_rows);
select * from differences;
select (select count(*) from listed) = (select count(*) from members where classid = 'pg_proc'::regclass) as every_function;

-- A difference of any kind would be seen.
begin;
update listed set arguments = replace(arguments, 'DEFAULT 0', 'DEFAULT 1') where name = 'pg_background_wait';
update listed set arguments = replace(arguments, 'pct', 'percent') where name = 'pg_background_progress';
update listed set result = 'integer' where name = 'pg_background_status';
alter function pg_background_purge() immutable;
delete from listed where name = 'pg_background_purge_v2';
alter type pg_background_error add attribute more text;
alter extension pllua_pg_background drop view pg_background_activity;
select what, name, left(result, 40) as result from differences order by 2, 1;
rollback;

drop view differences, rows, functions, members;
drop table listed, listed_rows;
