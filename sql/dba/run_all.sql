-- bg.run_all: the statements that a query returns, several at once; what became of each is in bg.last_run.
\set SHOW_CONTEXT never
create table done_by (n int, pid int default pg_backend_pid());
create view outcome as select item, statement, ok, tag, sqlstate, error, pid is not null as begun, elapsed is not null as ended from bg.last_run;
create procedure quietly(query text, inout done bigint default null, inout failed bigint default null) language plpgsql as $$
declare elapsed interval;
begin
    call bg.run_all(query, 4, false, 'collect', false, done, failed, elapsed);
    if elapsed is null then raise 'elapsed is null'; end if;
end $$;

-- Each is a transaction of its own, also what cannot be in one.
call quietly($$ select format('insert into done_by values (%s)', n) from generate_series(1, 5) n union all select 'vacuum done_by' order by 1 $$);
select * from outcome;
select count(*), count(distinct pid) <= 4 as few, bool_or(pid = pg_backend_pid()) as here from done_by;
select min(started_at) > now() - interval '1 hour', max(started_at + elapsed) <= clock_timestamp() from bg.last_run;

-- As \gexec: what is NULL or empty is left out, the columns of a row are done from left to right.
truncate done_by;
call quietly($$ values ('create table late (a int)', null, '', 'insert into late values (1)'), (null, 'select 1', 'select 2', null) $$);
select * from outcome;
call quietly('select null::text');
select * from outcome;
drop table late;

-- What fails is collected, or ends all.
call quietly($$ values ('select 1/0'), ('selec'), ('begin'), ('insert into done_by values (6)') $$);
select * from outcome;
call bg.run_all($$ values ('select 1/0'), ('insert into done_by values (7)') $$, workers => 1, on_error => 'stop');
select * from outcome;
select n from done_by;
call quietly($$ select 'select pg_terminate_backend(pg_backend_pid())' $$);
select ok, sqlstate from bg.last_run;

-- The plan; what ran before is still what is seen.
call bg.run_all($$ values ('drop table done_by'), ('select 1') $$, dry_run => true);
select ok, sqlstate from bg.last_run;
call bg.run_all('select 1', on_error => 'stop', workers => 8, dry_run => true);
call bg.run_all('select');

-- A cancel ends all of it, and what was done is seen.
truncate done_by;
select set_config('my.caller', pg_backend_pid()::text, false) <> '' as caller;
call bg.run_all($$ values ('insert into done_by values (8)'), ('select pg_sleep(1000)'), -- workload
    ('select pg_cancel_backend(current_setting(''my.caller'')::int), pg_sleep(1000)'), ('select 1') $$, workers => 2); -- workload
select * from outcome;
select count(*) from bg.backend_sessions();
do language pllua_bg $$
    repeat until spi.execute("select from pg_stat_activity where backend_type like '%pllua_bg%' and query like '%(1000)%' and pid <> pg_backend_pid()").n == 0
$$;

-- Wrong arguments.
call bg.run_all('selec');
call bg.run_all('create table nothing()');
call bg.run_all(null);
call bg.run_all('select 1', workers => 0);
call bg.run_all('select 1', workers => null);
call bg.run_all('select 1', on_error => 'ignore');
call bg.run_all('select 1', dry_run => null);
begin;
call bg.run_all('select 1');
rollback;
create function inside() returns void language plpgsql as $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.run_all('select 1', 1, false, 'collect', false, done, failed, elapsed);
end $$;
select inside();

-- Whoever calls is who runs it, and nobody else sees what has run.
create role dba_user login;
create role dba_stranger login;
grant usage on schema bg to dba_user;
set role dba_user;
select count(*) from bg.last_run;
call quietly('select $$select current_user, session_user from done_by$$ union select $$select current_user$$ order by 1');
select item, ok, sqlstate, error from bg.last_run;
set role dba_stranger;
call bg.run_all('select 1');
reset role;
select item, statement from bg.last_run where item = '2';
drop owned by dba_user;
drop role dba_user, dba_stranger;
drop function inside;
drop procedure quietly;
drop view outcome;
drop table done_by;
