-- bg.backfill: each range of a key in a transaction of its own, exactly once; what is left is done later.
\set SHOW_CONTEXT never
create table dba_big (id int primary key, n int not null default 0, d date unique not null);
insert into dba_big select i, 0, date '2000-01-01' + i from generate_series(1, 1000) i;
create procedure quietly(statement text, of_rows int, on_error text default 'collect', name text default null, by text default null,
    patience interval default null, inout done bigint default null, inout failed bigint default null) language plpgsql as $$
declare elapsed interval;
begin
    call bg.backfill('dba_big', statement, of_rows, 3, null, null, patience, name, by, false, on_error, false, done, failed, elapsed);
end $$;
create procedure quietly_resume(name text, inout done bigint default null, inout failed bigint default null) language plpgsql as $$
declare elapsed interval;
begin
    call bg.backfill_resume(name, null, false, 'collect', false, done, failed, elapsed);
end $$;
create view state as select name, owner = current_user::regrole as mine, relation, statement, state, chunks, done, rows from bg.backfills;

call bg.backfill('dba_big', 'update dba_big set n = n + 1 where id between $1 and $2', rows => 300, dry_run => true);
table state;
call quietly('update dba_big set n = n + 1 where id between $1 and $2', 300);
select item, statement, ok, tag from bg.last_run;
select n, count(*) from dba_big group by n;
table state;

-- One that is done makes room for the next of its name; there is nothing left to do of it.
call quietly_resume('dba_big');
call quietly('update dba_big set n = n + 1 where id between $1 and $2', 1000);
select n, count(*) from dba_big group by n;
table state;

-- What fails is left to do; a row that is locked is waited for as long as was said, some times.
create table dba_once (id int primary key);
call quietly('insert into dba_once select id / (id - 500) * 0 + id from dba_big where id between $1 and $2', 100, name => 'once');
select item, ok, tag, sqlstate, error from bg.last_run where not ok;
table state;
select count(*) from dba_once;
call quietly('delete from dba_big where id between $1 and $2', 100, name => 'once');
call bg.backfill_resume('once', dry_run => true);
delete from dba_big where id = 500;
call quietly_resume('once');
select count(*) from dba_once;
table state;
select bg.launch() as other \gset
select from bg.run(:other, 'begin; select from dba_big where id = 42 for update');
select from bg.wait(:other);
call quietly('update dba_big set n = 7 where id between $1 and $2', 500, name => 'locked', patience => '100 ms');
select item, ok, sqlstate, error from bg.last_run where not ok;
select from bg.close(:other);
call quietly_resume('locked');
select n, count(*) from dba_big group by n;

-- The first error ends all; by another column, whose texts are read the same by other settings, and another search path.
call quietly('select 1 / 0 from dba_big where id between $1 and $2', 500, 'stop', 'wrong');
select name, state, done from state where name = 'wrong';
delete from bg.backfill_run where name = 'wrong';
select count(*) from bg.backfill_chunk c where not exists (select from bg.backfill_run r where r.id = c.backfill);
create schema dba_s;
create table dba_s.hidden (d date, bad bool);
insert into dba_s.hidden values ('2000-01-03', true);
set search_path = dba_s, public;
set datestyle = 'German';
call quietly('update dba_big set n = case when exists (select from hidden where bad and d between $1 and $2) then n / (n - n) else 9 end where d between $1 and $2', 500, name => 'days', by => 'd');
reset search_path;
set datestyle = 'SQL, DMY';
update dba_s.hidden set bad = false;
call quietly_resume('days');
reset datestyle;
select n, count(*) from dba_big group by n;

-- Two resume it at the same time: each range is done once.
create view left_open as select count(*) from bg.backfill_chunk where done_at is null;
set my.fail = 'yes';
call quietly('update dba_big set n = case when current_setting(''my.fail'', true) = ''yes'' then n / (n - n) else n + 1 end where id between $1 and $2', 50, name => 'twice');
reset my.fail;
table left_open;
select bg.launch() as other \gset
select from bg.run(:other, $$ call quietly_resume('twice') $$);
call quietly_resume('twice') \g /dev/null
select from bg.wait(:other);
select from bg.close(:other);
select n, count(*) from dba_big group by n;
table left_open;
drop view left_open;

-- Whoever ends it leaves nothing half done.
update dba_big set n = 0;
create function cancel() returns void language plpgsql as $$
begin
    while (select n from dba_big where id = 1) = 0 loop end loop; -- until the first range is done
    perform pg_cancel_backend(current_setting('my.caller')::int), pg_sleep(1000); -- workload
end $$;
select set_config('my.caller', pg_backend_pid()::text, false) <> '' as caller;
call quietly('update dba_big set n = n + 1 from (select case when $1 > 1 then cancel() end) s where id between $1 and $2', 500, name => 'canceled');
table state;
select n, count(*) from dba_big group by n order by n;

-- Of others one sees nothing, and cannot do with them what they would do.
create role dba_user login;
create role dba_other login;
grant usage on schema bg to dba_user, dba_other;
grant select, update on dba_big to dba_user;
grant execute on all routines in schema public to dba_user, dba_other;
set role dba_user;
call quietly('update dba_big set n = 100 where id between $1 and $2', 500, name => 'canceled');
call bg.backfill('dba_big', 'update dba_big set n = 1 where id between $1 and $2', max_lag => '1 s');
select name, state from bg.backfills;
insert into bg.backfill_chunk select id, 10, '1', '2' from generate_series(1, 100) id;
set role dba_other;
select name, state from bg.backfills;
select count(*) from bg.backfill_chunk;
call bg.backfill_resume('canceled');
insert into bg.backfill_run (owner, name, relation, statement, search_path, workers, pause, lock_timeout, chunks)
    values ('dba_user'::regrole, 'x', 'x', 'x', '', 1, 0, 0, 0);
update bg.backfill_run set statement = 'x';
call bg.backfill('dba_big', 'delete from dba_big where id between $1 and $2');
reset role;
call bg.backfill_resume('dba_big', workers => 0);

-- Wrong arguments.
call bg.backfill('nothing', 'update dba_big set n = 1 where id between $1 and $2');
call bg.backfill('dba_s.hidden', 'update dba_s.hidden set bad = true where d between $1 and $2');
call bg.backfill('dba_big', 'update dba_big set n = 1');
call bg.backfill('dba_big', 'update dba_big set m = 1 where id between $1 and $2');
call bg.backfill('dba_big', 'updat');
call bg.backfill('dba_big', 'update dba_big set n = 1 where ctid between $1 and $2', by => 'ctid');
call bg.backfill('dba_big', null);
call bg.backfill('dba_big', 'update dba_big set n = 1 where id between $1 and $2', rows => 0);
call bg.backfill('dba_big', 'update dba_big set n = 1 where id between $1 and $2', pause => '-1 s');
call bg.backfill('dba_big', 'update dba_big set n = 1 where id between $1 and $2', by => 'm');
call bg.backfill_resume('nobody');
call bg.backfill_resume(null);
begin;
call bg.backfill('dba_big', 'update dba_big set n = 1 where id between $1 and $2');
rollback;

set client_min_messages = warning;
delete from bg.backfill_run;
table bg.backfill_chunk;
drop view state;
drop procedure quietly, quietly_resume;
drop function cancel();
drop table dba_big, dba_once;
drop schema dba_s cascade;
drop owned by dba_user, dba_other;
drop role dba_user, dba_other;
