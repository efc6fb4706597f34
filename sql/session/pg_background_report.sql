-- pg_background: what can be asked about workers, and launch, wait and result in one call.
\set VERBOSITY terse
\set SHOW_CONTEXT never
-- the list
select count(*) from pg_background_list;
select pid as pid1, cookie as cookie1 from pg_background_launch_v2('select 1', 8192, 'first') \gset
select pid as pid2, cookie as cookie2 from pg_background_launch_v2('select ' || repeat('ä', 200) || ' / 0', 0, 'second') \gset
select pid as pid3, cookie as cookie3 from pg_background_submit('select 3; select 4') \gset
select bool_and(pg_background_wait(pid, cookie)) from pg_background_list;
select pid = :pid1 as mine, cookie = :cookie1 as mine, launched_at between now() - interval '1 hour' and clock_timestamp() as now,
       user_id::regrole = current_user::regrole as me, queue_size, state, sql_preview, last_error, consumed
from pg_background_list_v2() as (pid int4, cookie int8, launched_at timestamptz, user_id oid, queue_size int4,
     state text, sql_preview text, last_error text, consumed bool)
where pid = :pid1;
select queue_size, state, sql_preview, length(sql_preview), left(last_error, 20) as last_error, consumed, label from pg_background_list where pid = :pid2;
select state, sql_preview, last_error, consumed, label from pg_background_list where pid = :pid3;
select * from pg_background_result(:pid1, :cookie1) as (x int);
select state, consumed, label from pg_background_list() as (p int4, c int8, l timestamptz, u oid, q int4, state text, s text, e text,
     consumed bool, label text) where label = 'first';
select * from pg_background_list() as (pid int4);
select * from pg_background_list() as (p int4, c int8, l timestamptz, u oid, q int4, state text, s text, e text, consumed text);

-- activity
-- workload
select pid as pid4, cookie as cookie4 from pg_background_launch_v2('select pg_sleep(100)', 0, 'my label') \gset
create procedure await_query(pid int) language plpgsql as $$
begin
    while not exists (select from pg_background_activity a where a.pid = $1 and a.backend_state = 'active' and a.state = 'running') loop
        commit;
    end loop;
end $$;
call await_query(:pid4);
select label, application_name, backend_state, query from pg_background_activity where pid = :pid4;
select label, application_name, backend_state, query from pg_background_activity where pid = :pid1;

-- result_info, error_info, outcome: consume nothing, and stay after the result is taken
select row_count, command_tag, completed, has_error, started_at <= finished_at as ordered, finished_at <= clock_timestamp() as past
from pg_background_result_info(:pid1, :cookie1);
select row_count, command_tag, completed, has_error, started_at <= finished_at as ordered
from pg_background_result_info(:pid2, :cookie2);
select row_count, command_tag, completed, has_error from pg_background_result_info(:pid3, :cookie3);
select * from pg_background_result_info(:pid4, :cookie4);
select pg_background_error_info(:pid1, :cookie1) is null as no_error, pg_background_error_info(:pid4, :cookie4) is null as no_error;
select sqlstate, left(message, 20) as message, detail, hint, context ~ 'background session, pid \d+' as context
from pg_background_error_info(:pid2, :cookie2);
create table constrained (a int primary key);
insert into constrained values (1);
select * from pg_background_launch_v2('insert into constrained values (1)') \gset
select pg_background_wait(:pid, :cookie);
\x on
select sqlstate, message, detail, hint, schema_name, table_name, column_name, constraint_name from pg_background_error_info(:pid, :cookie);
\x off
select * from pg_background_launch_v2('insert into constrained values (null)') \gset
select pg_background_wait(:pid, :cookie);
select sqlstate, table_name, column_name, constraint_name from pg_background_error_info(:pid, :cookie);
select * from pg_background_result(:pid, :cookie) as (x text);
select sqlstate, table_name, column_name, constraint_name from pg_background_error_info(:pid, :cookie);
drop table constrained;
select state, consumed, completed, has_error, row_count, command_tag, sqlstate, label from pg_background_outcome(:pid1, :cookie1);
select state, consumed, completed, has_error, row_count, command_tag, sqlstate, label from pg_background_outcome(:pid2, :cookie2);
select state, consumed, completed, has_error, row_count, command_tag, sqlstate, label from pg_background_outcome(:pid3, :cookie3);
select state, consumed, completed, has_error, row_count, command_tag, sqlstate, label from pg_background_outcome(:pid4, :cookie4);
-- the names with _v2
select count(*), bool_and(pg_background_outcome_v2(pid, cookie) = pg_background_outcome(pid, cookie)) as outcome,
    bool_and(pg_background_status_v2(pid, cookie) = state) as status, bool_and(pg_background_full_sql_v2(pid, cookie) = pg_background_full_sql(pid, cookie)) as sql,
    bool_and(pg_background_result_info_v2(pid, cookie) = pg_background_result_info(pid, cookie)) as result,
    bool_and(pg_background_error_info_v2(pid, cookie) is not distinct from pg_background_error_info(pid, cookie)) as error
from pg_background_list where pid <> :pid4;
select pg_typeof(pg_background_error_info_v2(:pid2, :cookie2)), pg_typeof(pg_background_run_v2('select 1'));
select * from pg_background_outcome(1, 1);
select * from pg_background_outcome(null, null);
select length(pg_background_full_sql(:pid2, :cookie2)), pg_background_full_sql(:pid3, :cookie3);
create function try(sql text) returns text language plpgsql as $$
begin
    execute sql;
    return 'no error';
exception when query_canceled or others then
    return sqlstate || ' ' || regexp_replace(sqlerrm, 'PID \d+', 'PID N');
end $$;
select f, try(format('select * from pg_background_%s(%s, %s)', f, :pid1, :cookie1 # 1))
from unnest('{result_info, error_info, status, full_sql, get_progress, result_info_v2, error_info_v2, status_v2, full_sql_v2, get_progress_v2}'::text[]) f;
select sqlstate, regexp_replace(error_message, 'PID \d+', 'PID N') from pg_background_outcome_v2(:pid1, :cookie1 # 1);

-- progress
create table go (yes bool);
create procedure work() language plpgsql as $$
begin
    perform pg_background_progress(10);
    perform pg_background_report_progress(50, 'half of it');
    commit;
    while not exists (select from go) loop commit; end loop;
    perform pg_background_progress(1000, repeat('ä', 200));
end $$;
select pg_background_get_progress(:pid1, :cookie1) is null;
select * from pg_background_launch_v2('call work()') \gset
create procedure await_progress(pid int, cookie bigint) language plpgsql as $$
begin
    while (pg_background_get_progress(pid, cookie)).progress_msg is null loop commit; end loop;
end $$;
call await_progress(:pid, :cookie);
select * from pg_background_get_progress(:pid, :cookie);
select (pg_background_get_progress_v2(:pid, :cookie)).*;
insert into go values (true);
select pg_background_wait(:pid, :cookie);
-- also when the worker is gone; a message is clipped at a character
select progress_pct, length(progress_msg), replace(progress_msg, 'ä', '') as rest from pg_background_get_progress(:pid, :cookie);
select * from pg_background_result(:pid, :cookie) as (x text);
select progress_pct, length(progress_msg) from pg_background_get_progress(:pid, :cookie);
select * from pg_background_launch_v2('select pg_background_progress(-5)') \gset
select pg_background_wait(:pid, :cookie);
select * from pg_background_get_progress(:pid, :cookie);
select pg_background_progress(1);
select pg_background_report_progress(1, 'x');
select * from pg_background_run('select pg_background_progress(null)') r \gset
select :'sqlstate' as sqlstate;
drop procedure work, await_query, await_progress;
drop table go;

-- run
select state, consumed, completed, has_error, row_count, command_tag, sqlstate, error_message, label, timed_out, elapsed_ms >= 0 as elapsed
from pg_background_run('select generate_series(1, 10)', label => 'quick');
select state, has_error, sqlstate, error_message, timed_out from pg_background_run('select 1 / 0', 8192, 0);
select state, has_error, sqlstate, timed_out, elapsed_ms >= 30 as elapsed
from pg_background_run('select pg_sleep(100)', 0, 30); -- workload
select count(*) from pg_background_list where label = 'quick';
select try('select pg_background_run(null::text)');
select try('select pg_background_run($$select 1$$, 1)');

-- run_query
select * from pg_background_run_query('select g, g % 2 = 0 from generate_series(1, 3) g', 0, 0, null, 'g int, even bool') as (g int, even bool);
select * from pg_background_run_query('create temp table t (a int)') as (result text);
select try('select * from pg_background_run_query($$select 1$$) as (x text)');
select try('select * from pg_background_run_query($$select 1 / 0$$) as (x int)');
select try('select * from pg_background_run_query($$select pg_sleep(100)$$, timeout_ms => 30) as (x text)'); -- workload

-- drain: in order, and detached
select pg_background_cancel(:pid4, :cookie4, 60000);
select pg_background_detach_all();
select array[(pg_background_launch_v2('select generate_series(1, 3)', 0, 'a')), (pg_background_launch_v2('select 1 / 0', 0, 'b')),
             (pg_background_submit('select 1', 0, 'c')), (1, 2)::pg_background_handle, null] as handles \gset
select label, state, consumed, completed, has_error, row_count, command_tag, sqlstate, pid = 1 as unknown from pg_background_drain(:'handles');
select count(*) from pg_background_list;
select count(*) from pg_background_drain('{}');
select state, sqlstate, error_message from pg_background_drain_v2(array[null, (null, null), (1, null)]::pg_background_handle[]);
select count(*) from pg_background_drain(null);
select command_tag from pg_background_drain_v2(('[0:1][3:3]=' || array[[pg_background_submit('select 1')], [pg_background_submit('create temp table t ()')]]::text)::pg_background_handle[]);
create table said (what text);
begin;
lock table said;
select * from pg_background_launch_v2('select 1', 0, 'fast') \gset
select pg_background_wait(:pid, :cookie);
select array[pg_background_launch_v2('insert into said values ($$went on$$)', 0, 'slow'), (:pid, :cookie)::pg_background_handle] as handles \gset
select label, state, completed from pg_background_drain(:'handles', 50);
select count(*) from pg_background_list;
commit;
create procedure await_said() language plpgsql as $$
begin
    while not exists (select from said) loop commit; end loop;
end $$;
call await_said();
select * from said;
drop table said;
drop procedure await_said;

-- stats: this role's, of this session
\c -
select * from pg_background_stats();
select * from pg_background_launch_v2('select 1') \gset
select pg_background_wait(:pid, :cookie);
select pg_background_detach(:pid, :cookie);
select true as ran from pg_background_run('select 1');
-- a warning is no failure
select state, has_error, sqlstate from pg_background_run('do $x$ begin raise warning $$careful$$; end $x$');
select true as ran from pg_background_run('select 1 / 0');
select true as ran from pg_background_run('select pg_sleep(100)', timeout_ms => 30); -- workload
-- workload
select * from pg_background_submit('select pg_sleep(100)') \gset
select pg_background_cancel(:pid, :cookie, 60000);
-- workload
select * from pg_background_submit('select pg_sleep(100)') \gset
select workers_launched, workers_completed, workers_failed, workers_canceled, workers_timed_out, workers_active, avg_execution_ms > 0 as avg, max_workers
from pg_background_stats_v2();
select count(*) from pg_background_drain(array[(:pid, :cookie)]::pg_background_handle[], 1);
select workers_launched, workers_completed, workers_failed, workers_canceled, workers_timed_out, workers_active from pg_background_stats();
select pg_background_record_timeout();
select workers_timed_out from pg_background_stats();
-- the one that was detached runs on; end it
create procedure end_it(worker int) language plpgsql as $$
begin
    loop
        perform pg_terminate_backend(pid) from pg_stat_activity where pid = worker;
        exit when found;
        commit;
    end loop;
end $$;
call end_it(:pid);
drop procedure end_it;
-- nothing that this test has started is left running
create procedure await_silence() language plpgsql as $$
begin
    while exists (select from pg_stat_activity where backend_type = 'pllua_bg session') loop
        commit;
    end loop;
end $$;
call await_silence();
drop procedure await_silence;
drop function try;
