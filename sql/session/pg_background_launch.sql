-- pg_background: launching workers and taking results.
create function try(sql text) returns text language plpgsql as $$
declare state text; msg text; more text;
begin
    execute sql;
    return 'no error';
exception when query_canceled or others then
    get stacked diagnostics state = returned_sqlstate, msg = message_text, more = pg_exception_detail;
    return state || ' ' || regexp_replace(msg, 'PID \d+', 'PID N') || coalesce(' (' || nullif(more, '') || ')', '');
end $$;

-- version 1: by pid; the worker is forgotten with its result
select pg_background_launch('select g, g * g from generate_series(1, 3) g') as pid \gset
select * from pg_background_result(:pid) as (g int, square int);
select try(format('select * from pg_background_result(%s) as (g int, square int)', :pid));
select try(format('select pg_background_run(%s, $$select 1$$)', :pid));
select try(format('select pg_background_detach(%s)', :pid));
select pg_background_launch('select 1', 8192) as pid \gset
select pg_background_detach(:pid);
select try(format('select * from pg_background_result(%s) as (g int)', :pid));

-- a worker for one command takes no other
select pg_background_launch('select 1') as pid \gset
select try(format('select pg_background_run(%s, $$select 2$$)', :pid)) ~ '^(55000|08003)';
select * from pg_background_result(:pid) as (x int);

-- by handle
select * from pg_background_launch_v2('select 1 as x, $$one$$::text as y') \gset
select * from pg_background_result_v2(:pid, :cookie) as (x int, y text);
select try(format('select * from pg_background_result_v2(%s, %s) as (x int, y text)', :pid, :cookie));
select try(format('select * from pg_background_result(%s, %s) as (x int, y text)', :pid, :cookie));
-- also by pid alone
select try(format('select * from pg_background_result(%s) as (x int, y text)', :pid));
-- the cookie counts
select try(format('select * from pg_background_result_v2(%s, %s) as (x int, y text)', :pid, :cookie # 1));
select try(format('select pg_background_detach_v2(%s, %s)', :pid, :cookie # 1));
create function hint(sql text) returns text language plpgsql as $$
declare said text;
begin
    execute sql;
    return 'no error';
exception when others then
    get stacked diagnostics said = pg_exception_hint;
    return said;
end $$;
select hint(format('select pg_background_cancel(%s, %s)', :pid, :cookie # 1));
select hint(format('select pg_background_cancel(1, %s)', :cookie));
select pg_background_detach_v2(:pid, :cookie);
select try(format('select pg_background_detach_v2(%s, %s)', :pid, :cookie));
select try(format('select * from pg_background_result_v2(%s, %s) as (x int, y text)', :pid, :cookie));

-- the process of a worker ends with its command
select * from pg_background_launch_v2('select generate_series(1, 100000)') \gset
select pg_background_wait(:pid, :cookie);
create function is_running(pid int) returns bool language sql as
    'select exists (select from pg_stat_activity a where a.pid = $1)';
create procedure await_end(pid int) language plpgsql as $$
begin
    while is_running(pid) loop perform pg_stat_clear_snapshot(); end loop;
end $$;
call await_end(:pid);
select count(*), sum(x) from pg_background_result(:pid, :cookie) as (x int);
select pg_background_detach(:pid, :cookie);

-- what the caller declares must be what comes
select * from pg_background_launch_v2('select 1 as x') \gset
select try(format('select * from pg_background_result_v2(%s, %s) as (x text)', :pid, :cookie));
select * from pg_background_launch_v2('select 1 as x') \gset
select try(format('select * from pg_background_result_v2(%s, %s) as (x int, y int)', :pid, :cookie));
select * from pg_background_launch_v2('create temp table t (a int)') \gset
select try(format('select * from pg_background_result_v2(%s, %s) as (x int)', :pid, :cookie));
select * from pg_background_launch_v2('create temp table t (a int)') \gset
select * from pg_background_result_v2(:pid, :cookie) as (result text);
-- the last statement counts
select * from pg_background_launch_v2('select 1; select 2; select $$three$$::text') \gset
select * from pg_background_result_v2(:pid, :cookie) as (x text);
select * from pg_background_launch_v2('select 1; create temp table t (a int)') \gset
select * from pg_background_result_v2(:pid, :cookie) as (x text);
-- an empty command has no rows, whatever is declared
select * from pg_background_launch_v2('') \gset
select * from pg_background_result_v2(:pid, :cookie) as (x text);
select try(format('select * from pg_background_result_v2(%s, %s) as (x text)', :pid, :cookie));
select * from pg_background_launch_v2(' ; -- nothing') \gset
select * from pg_background_result_v2(:pid, :cookie) as (x int, y text);
select pg_background_launch('/* nothing */') as pid \gset
select * from pg_background_result(:pid) as (x text);
select * from pg_background_run_query(';') as (x int);
select state, row_count, command_tag, has_error from pg_background_run('');
select pg_background_launch() as pid \gset
select pg_background_run(:pid, 'select 1'), pg_background_run(:pid, '');
select * from pg_background_result(:pid) as (x int);
select * from pg_background_result(:pid) as (x int);
select pg_background_detach(:pid);

-- where no columns are declared nothing is taken, and nothing is run
select * from pg_background_launch_v2('select 1 as x') \gset
select try(format('select pg_background_result_v2(%s, %s)', :pid, :cookie));
select hint(format('select pg_background_result(%s, %s)', :pid, :cookie));
select try(format('select pg_background_result(%s)', :pid));
select try(format('select count(pg_background_result(%s, %s))', :pid, :cookie));
select consumed from pg_background_outcome(:pid, :cookie);
select * from pg_background_result_v2(:pid, :cookie) as (x int);
select pg_background_launch('select 2 as x') as pid \gset
select try(format('select pg_background_result(%s)', :pid));
select * from pg_background_result(:pid) as (x int);
select pg_background_launch() as pid \gset
select pg_background_run(:pid, 'select 3 as x');
select try(format('select pg_background_result(%s)', :pid));
select * from pg_background_result(:pid) as (x int);
select pg_background_detach(:pid);
create table ran (what text);
select try('select pg_background_run_query($$insert into ran values (1)$$)');
select try('select pg_background_run_query_v2($$insert into ran values (1)$$)');
select * from pg_background_run_query_v2('select count(*) from ran', 0, 0, null, 'n int8') as (n int8);
drop table ran;
drop function hint;

-- outside of a transaction block
create table vacuumed (a int);
select * from pg_background_launch_v2('vacuum vacuumed') \gset
select * from pg_background_result_v2(:pid, :cookie) as (result text);
drop table vacuumed;
-- errors and messages of the command come with its result; both only once
select * from pg_background_launch_v2('select 1 / 0') \gset
select try(format('select * from pg_background_result_v2(%s, %s) as (x int)', :pid, :cookie));
select try(format('select * from pg_background_result_v2(%s, %s) as (x int)', :pid, :cookie));
\set SHOW_CONTEXT never
select * from pg_background_launch_v2('do $x$ begin raise notice $$hello$$; end $x$') \gset
select * from pg_background_result_v2(:pid, :cookie) as (result text);
\set SHOW_CONTEXT errors

-- submit: no result
create table done (what text);
select * from pg_background_submit_v2('insert into done values ($$v2$$) returning what') \gset
select pg_background_wait(:pid, :cookie);
select try(format('select * from pg_background_result_v2(%s, %s) as (what text)', :pid, :cookie));
select row_count, command_tag, has_error from pg_background_result_info(:pid, :cookie);
select * from pg_background_submit('insert into done values ($$2.0$$)', 0, 'with a label') \gset
select pg_background_wait(:pid, :cookie);
select what from done order by 1;
drop table done;

-- much output that nobody reads stops nobody
select * from pg_background_launch_v2('select repeat($$x$$, 1000) from generate_series(1, 20000)', 4096) \gset
select pg_background_wait_v2(:pid, :cookie);
select count(*), sum(length(x)) from pg_background_result_v2(:pid, :cookie) as (x text);
select * from pg_background_submit_v2('select repeat($$x$$, 1000) from generate_series(1, 20000)', 4096) \gset
select pg_background_wait_v2(:pid, :cookie);
select pg_background_detach_all() > 10;

-- two arguments and three; the state right after the launch
select pid, cookie, pg_background_status(pid, cookie), (select state from pg_background_list l where l.pid = h.pid) as state
-- workload
from pg_background_launch('select pg_sleep(100)', 0, 'third') h \gset
select :'pg_background_status' as status, :'state' as state, label from pg_background_list where pid = :pid;
select pg_background_cancel(:pid, :cookie, 60000);
select pg_background_status_v2(:pid, :cookie), pg_background_status(:pid, null) is null as of_null;
select try(format('select pg_background_status_v2(%s, %s)', :pid, :cookie # 1));
select pg_background_detach(:pid, :cookie);
select try(format('select pg_background_status(%s, %s)', :pid, :cookie));
create temp table launched (h pg_background_handle);
insert into launched values (pg_background_launch_v2('select 1', 8192)), (pg_background_launch_v2('select 1', null, 'two')), (pg_background_submit('select 1', 8192)),
    (pg_background_submit('select 1', 0, 'four')), (pg_background_submit_v2('select 1')), (pg_background_submit_v2('select 1', 0, null));
select (h).cookie = cookie as same, label from launched join pg_background_list on pid = (h).pid order by launched_at;
select pg_background_detach_all();
drop table launched;
select try('select pg_background_launch(null, 0, null)');
select try('select pg_background_launch($$select 1$$, 1, $$x$$)');

-- arguments
select try('select pg_background_launch($$select 1$$, 4095)');
select try('select pg_background_launch_v2($$select 1$$, -1)');
select try('select pg_background_submit($$select 1$$, 268435457)');
select try('select pg_background_launch_v2(null)');
select try('select pg_background_submit(null)');
select pg_background_launch(null) is null;
select try('select pg_background_result_v2(1, 1)');
select try('select * from pg_background_result_v2(1, 1) as (x int)');
select try('select * from pg_background_result(1) as (x int)');

-- settings
select setting, unit, min_val, max_val, context from pg_settings where name like 'pg\_background.%' order by name;
set pg_background.max_workers = 2;
-- workload
select pg_background_launch('select pg_sleep(100)') as pid1 \gset
-- workload
select pid as pid2, cookie as cookie2 from pg_background_submit('select pg_sleep(100)') \gset
select try('select pg_background_launch($$select 1$$)');
select try('select pg_background_launch_v2($$select 1$$)');
select try('select pg_background_launch()');
select pg_background_cancel(:pid2, :cookie2);
select pg_background_wait(:pid2, :cookie2);
-- those that have ended do not count
select * from pg_background_run_query('select 1') as (x int);
select pg_background_cancel_all();
select try(format('select * from pg_background_result(%s) as (x text)', :pid1));
select try('set pg_background.max_workers = 1001');
select replace(try('set pg_background.default_queue_size = 4095'), ' B', ''); -- since 17 the limits have units
reset pg_background.max_workers;
set pg_background.worker_timeout = '50ms';
-- workload
select pg_background_launch('select pg_sleep(100)') as pid \gset
select try(format('select * from pg_background_result(%s) as (x text)', :pid));
reset pg_background.worker_timeout;
set pg_background.default_queue_size = '16kB';
select * from pg_background_launch_v2('select 1') \gset
select queue_size from pg_background_list where pid = :pid;
reset pg_background.default_queue_size;
-- no slot in the server is 53000
select pg_background_detach_all() > 0;
set pllua_bg.launch_wait = 0;
set pg_background.max_workers = 1000;
set pllua_bg.max_sessions = 1000;
create function fill() returns text language plpgsql as $$
begin
    for i in 1..1000 loop perform pg_background_launch(); end loop;
    return 'no error';
exception when insufficient_resources then
    return sqlstate || ' ' || sqlerrm;
end $$;
select fill();
reset pllua_bg.launch_wait;
reset pllua_bg.max_sessions;
reset pg_background.max_workers;
select pg_background_detach_all() > 1;

-- a worker that dies
select * from pg_background_launch_v2('select pg_terminate_backend(pg_backend_pid())') \gset
select try(format('select * from pg_background_result_v2(%s, %s) as (x text)', :pid, :cookie));
select state, has_error, sqlstate from pg_background_outcome(:pid, :cookie);
select pg_background_detach_all();
drop function try, is_running, fill;
drop procedure await_end;
