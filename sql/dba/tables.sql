-- bg.vacuum_tables, bg.analyze_tables, bg.reindex_tables: which tables, in what order, with what rights.
\set SHOW_CONTEXT never
create schema dba_a;
create schema dba_b;
create table dba_a.small (i int primary key);
create table dba_a.large (i int primary key, t text) with (autovacuum_enabled = false);
create table dba_a."Odd ""name""" (i int);
create table dba_b.large (i int);
create table dba_a.parted (i int primary key) partition by range (i);
create table dba_b.part_1 partition of dba_a.parted for values from (0) to (10);
create table dba_b.part_2 partition of dba_a.parted for values from (10) to (20);
create materialized view dba_a.seen as select 1 as i;
create temp table large_temp (i int);
create view dba_a.no_table as select 1;
insert into dba_a.large select i, repeat('x', 100) from generate_series(1, 1000) i;
insert into dba_a.small select generate_series(1, 500);
vacuum analyze dba_a.large, dba_a.small;
create view outcome as select item, ok, tag, sqlstate, error from bg.last_run;

-- Which ones. The largest comes first.
call bg.vacuum_tables('dba_a.*', dry_run => true);
call bg.vacuum_tables('DBA_?.LARGE*', options => 'analyze, parallel 0', dry_run => true);
call bg.analyze_tables('dba_a."Odd ""name"""', options => 'verbose false,skip_locked', dry_run => true);
set search_path = dba_b, dba_a;
call bg.analyze_tables('l*', dry_run => true);
reset search_path;
call bg.analyze_tables('pg_catalog.pg_am', dry_run => true);
call bg.vacuum_tables('dba_a.parted', dry_run => true);
call bg.reindex_tables('dba_a.sm*', dry_run => true);
call bg.reindex_tables('dba_a.parted', concurrently => true, dry_run => true);

-- What is done.
delete from dba_a.large where i > 1;
select pg_relation_size('dba_a.large') as before \gset
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.vacuum_tables('dba_?.*', 2, 'analyze', false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select * from outcome order by item;
select pg_relation_size('dba_a.large') < :before as shrunk;
select relfilenode as index_before from pg_class where oid = 'dba_a.large_pkey'::regclass \gset
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.reindex_tables('dba_a.*', 3, true, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
    call bg.reindex_tables('dba_a.*', 3, false, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select * from outcome order by item;
select relfilenode <> :index_before as rebuilt from pg_class where oid = 'dba_a.large_pkey'::regclass;

-- Of one table one index at a time is rebuilt concurrently.
create index on dba_a.small ((i + 1));
create index on dba_a.small ((i + 2));
create index on dba_a.small ((i + 3));
call bg.reindex_tables('dba_a.small', workers => 4, concurrently => true, dry_run => true);
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.reindex_tables('dba_a.small', 4, true, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select count(*) filter (where ok) as done, bool_or(started_at < before) as at_once
from (select *, lag(started_at + elapsed) over (order by started_at) as before from bg.last_run) r;

-- A table that is locked, and one that goes meanwhile.
select bg.launch() as other \gset
select from bg.run(:other, 'begin; lock table dba_a.large; drop table dba_a.small');
select from bg.wait(:other);
set lock_timeout = '100 ms';
call bg.vacuum_tables('dba_a.large', on_error => 'stop');
reset lock_timeout;
select * from outcome;
select from bg.run(:other, $$ do language pllua_bg 'repeat bg.sleep(0.01) until spi.execute("select from pg_locks where not granted").n > 0' $$);
select from bg.run(:other, 'commit');
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.vacuum_tables('dba_a.?????', 1, '', false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select * from outcome;
select from bg.close(:other);

-- Wrong arguments.
call bg.vacuum_tables('nothing.*');
call bg.vacuum_tables('large_temp');
call bg.vacuum_tables('dba_a.no_table');
call bg.vacuum_tables('a.b.c');
call bg.vacuum_tables('dba_a.');
call bg.vacuum_tables('"dba_a');
call bg.vacuum_tables('');
call bg.vacuum_tables(null);
call bg.vacuum_tables('dba_a.large', options => 'analyze) dba_a.large; drop table dba_a.large; --');
call bg.vacuum_tables('dba_a.large', options => 'analyze,');
call bg.analyze_tables('dba_a.large', options => 'full', on_error => 'stop');
call bg.reindex_tables('dba_a.large', concurrently => null);
begin;
call bg.vacuum_tables('dba_a.large');
rollback;

-- Without the right it is not done, and not called done.
create role dba_user login;
grant usage on schema bg, dba_a, dba_b to dba_user;
alter table dba_b.large owner to dba_user;
set role dba_user;
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.vacuum_tables('dba_?.large', 2, null, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select item, ok, tag, sqlstate, error from bg.last_run order by item;
\set VERBOSITY sqlstate
call bg.reindex_tables('dba_a.large', on_error => 'stop');
\set VERBOSITY default
reset role;
-- Whoever has no right on the schema of TOAST tables rebuilds what is his own.
alter table dba_a.large owner to dba_user;
set role dba_user;
call bg.reindex_tables('dba_a.large', dry_run => true);
reset role;

-- Nobody's operators are taken for the server's.
create schema dba_evil;
create function dba_evil.name_eq(name, name) returns boolean language plpgsql as $$ begin raise 'seen'; end $$;
create function dba_evil.oid_eq(oid, oid) returns boolean language plpgsql as $$ begin raise 'seen'; end $$;
create operator dba_evil.= (leftarg = name, rightarg = name, function = dba_evil.name_eq);
create operator dba_evil.= (leftarg = oid, rightarg = oid, function = dba_evil.oid_eq);
create function dba_evil.format(text, name, name) returns text language plpgsql as $$ begin raise 'seen'; end $$;
create function dba_evil.current_schemas(boolean) returns name[] language plpgsql as $$ begin raise 'seen'; end $$;
create function dba_evil.clock_timestamp() returns timestamptz language plpgsql as $$ begin raise 'seen'; end $$;
set search_path = dba_evil, dba_a, pg_catalog;
call bg.vacuum_tables('larg?', dry_run => true);
call bg.reindex_tables('parted', dry_run => true);
reset search_path;

set client_min_messages = warning;
drop schema dba_a, dba_b, dba_evil cascade;
drop owned by dba_user;
drop role dba_user;
drop view outcome;
