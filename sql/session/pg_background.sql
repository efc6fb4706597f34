-- The extension pllua_pg_background: four functions on sessions.
create table foo (x int);
insert into foo select generate_series(1, 5);
select pg_background_launch() as pid \gset

-- What vacuum says depends on the machine: here are only the first word of its messages.
create function vacuum_says(pid int) returns setof text language pllua_bg as $$
    local r = bg.result(pid)
    for _, notice in ipairs(r.notices) do
        coroutine.yield(notice.severity .. ': ' .. notice.message:match('^%a+'))
    end
    coroutine.yield(r.tag)
$$;
create function quiet_launch() returns int language pllua_bg as
    'return bg.launch{on_notice = function() end}.pid';
select quiet_launch() as quiet_pid \gset
select pg_background_run(:quiet_pid, 'vacuum verbose foo');
select * from vacuum_says(:quiet_pid);
select pg_background_detach(:quiet_pid);
select pg_background_run(:pid, 'analyze foo');
select * from pg_background_result(:pid) as (x text);
select pg_background_run(:pid, $$ do 'begin raise info ''analyzed %'', ''foo''; raise notice ''and more''; end' $$);
select * from pg_background_result(:pid) as (x text);
select pg_background_run(:pid, 'vacuum foo');
select * from pg_background_result(:pid) as (x text);
select pg_background_run(:pid, 'select * from foo');
select * from pg_background_result(:pid) as (x int);

-- last in, first out
select pg_background_run(:pid, 'select 1');
select pg_background_run(:pid, 'select 2');
select pg_background_run(:pid, 'select 3');
select * from pg_background_result(:pid) as (x int);
select * from pg_background_result(:pid) as (x int);
select * from pg_background_result(:pid) as (x int);
-- the result must be what the caller declares
create function try(sql text) returns text language plpgsql as $$
declare state text; msg text;
begin
    execute sql;
    return 'no error';
exception when others then
    get stacked diagnostics state = returned_sqlstate, msg = message_text;
    return state || ' ' || regexp_replace(msg, '\d+', 'N', 'g');
end $$;
select pg_background_run(:pid, 'select 1, $$a$$::text');
select try(format('select * from pg_background_result(%s) as (a int)', :pid));
select pg_background_run(:pid, 'select 1, $$a$$::text');
select try(format('select * from pg_background_result(%s) as (a text, b text)', :pid));
select pg_background_run(:pid, 'select 1, $$a$$::text');
select * from pg_background_result(:pid) as (b int, a text);
select pg_background_run(:pid, 'create temp table t (a int)');
select try(format('select * from pg_background_result(%s) as (a int)', :pid));
select pg_background_run(:pid, 'insert into t values (1), (2)');
select * from pg_background_result(:pid) as (result text);
select try(format('select * from pg_background_result(%s) as (a int)', :pid));
select pg_background_run(:pid, 'select * from t where false');
select * from pg_background_result(:pid) as (a int);
create type pair as (a int, b text);
select pg_background_run(:pid, 'select row(1, $$x$$)::pair, null::int');
select * from pg_background_result(:pid) as (p pair, n int);
select pg_background_run(:pid, 'select row(1, $$x$$)::pair');
select * from pg_background_result(:pid) as (p pair);

-- errors of the command are raised with the result, and the session survives
select pg_background_run(:pid, 'select 1 / 0');
select try(format('select * from pg_background_result(%s) as (a int)', :pid));
select pg_background_run(:pid, 'do $x$ begin raise notice $$hello$$; raise warning $$careful$$; end $x$');
select * from pg_background_result(:pid) as (result text);

-- a column definition list is required
select pg_background_run(:pid, 'select 1');
\set VERBOSITY terse
select * from pg_background_result(:pid);
\set VERBOSITY default
select * from pg_background_result(:pid) as (x int);

-- only own sessions
select try('select pg_background_run(1, $$select 1$$)');
select try('select * from pg_background_result(1) as (x int)');
select try('select pg_background_detach(1)');
select pg_background_detach(:pid);
select try(format('select pg_background_run(%s, $$select 1$$)', :pid));
select pg_background_run(null::int, 'select 1') is null;

-- inside another query
select pg_background_launch() as pid \gset
select pg_background_run(:pid, 'select generate_series(1, 1000)');
select count(*), sum(x) from pg_background_result(:pid) as (x int);
select pg_background_run(:pid, 'select generate_series(1, 1000)');
select * from pg_background_result(:pid) as (x int) limit 2;
select pg_background_detach(:pid);
drop function try, vacuum_says, quiet_launch;
drop table foo;
drop type pair;
