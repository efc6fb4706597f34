-- bg.copy_table: all rows exactly once, as of one moment, by several sessions.
\set SHOW_CONTEXT never
create schema dba_c;
set search_path = dba_c, public;
create table source (id int generated always as identity primary key, t text, "Twice" int generated always as (length(t) * 2) stored, gone int, d timestamptz);
alter table source drop column gone;
insert into source (t, d) select 'row ' || i, timestamptz '2000-01-01 UTC' + i * interval '1 hour' from generate_series(1, 1000) i;
create procedure quietly(source text, target text, rows int, by text default null, workers int default 3, inout done bigint default null, inout failed bigint default null) language plpgsql as $$
declare elapsed interval;
begin
    call bg.copy_table(source, target, workers, rows, by, false, false, done, failed, elapsed);
end $$;
create function differ(target regclass) returns bigint language plpgsql as $$
declare n bigint;
begin
    execute format('select count(*) from ((table dba_c.source except all table %s) union all (table %1$s except all table dba_c.source)) d', target) into n;
    return n;
end $$;

call bg.copy_table('source', 'dba_c."New one"', rows => 400, dry_run => true);
select to_regclass('"New one"');
call quietly('source', 'dba_c."New one"', 100);
select count(*), max("Twice"), differ('"New one"') from "New one";
select item, ok, tag from bg.last_run limit 2;
select attname, attidentity, attgenerated from pg_attribute where attrelid = '"New one"'::regclass and attnum > 0 order by attnum;
select indexrelid::regclass from pg_index where indrelid = '"New one"'::regclass;

-- Again it would be there twice.
call quietly('source', '"New one"', 100);
truncate "New one";
set datestyle = 'German';
call bg.copy_table('source', '"New one"', rows => 400, by => 'd', dry_run => true);
call quietly('source', '"New one"', 300, 'd');
reset datestyle;
select differ('"New one"');
truncate "New one";
call quietly('source', '"New one"', 100, 'ctid');
select differ('"New one"');

-- Other tables: with NULL in the column of the ranges, empty ones, partitioned ones, one with fewer generated columns.
create table odd (a numeric unique, b text);
insert into odd select nullif(i, 3), i from generate_series(1, 20) i;
call bg.copy_table('odd', 'odd_copy', by => 'a', rows => 8, dry_run => true);
call quietly('odd', 'odd_copy', 8, 'a');
select count(*), count(a) from odd_copy;
create table empty (a int primary key);
call quietly('empty', 'empty_copy', 100);
create table parted (a int primary key) partition by range (a);
create table part_1 partition of parted for values from (0) to (50);
create table part_2 partition of parted for values from (50) to (100);
insert into parted select generate_series(0, 99);
call quietly('parted', 'parted_copy', 30);
select count(*), sum(a) from parted_copy;

-- One moment: what is written meanwhile is in no range.
create table moved (id int primary key, n int);
insert into moved select i, 1 from generate_series(1, 100) i;
create table moved_copy (id int, n int);
create function move() returns trigger language pllua_bg as $$
    if trigger.new.id % 10 == 1 then bg.autonomous('update dba_c.moved set n = n + 1, id = 101 + id where id = (select max(id) from dba_c.moved where id <= 100)') end
$$;
create trigger move after insert on moved_copy for each row execute function move();
call quietly('moved', 'moved_copy', 10, workers => 2);
select count(*), sum(id), sum(n), max(id) from moved_copy;
select count(*), max(n) = 2 as has_moved from moved;

-- The first error ends all, and a cancel; nothing of what sessions had not committed stays.
create table checked (id int check (id <> 55), n int);
call quietly('source', 'checked', 10, workers => 1);
create table only_id (id int check (id <> 555));
create table ids (id int primary key);
insert into ids select generate_series(1, 1000);
call quietly('ids', 'only_id', 10, workers => 1);
select count(*) from only_id;
create table slowly (id int);
create function slow() returns trigger language plpgsql as $$
begin
    perform pg_cancel_backend(current_setting('my.caller')::int), pg_sleep(1000); -- workload
    return new;
end $$;
select set_config('my.caller', pg_backend_pid()::text, false) <> '' as caller;
create trigger slow before insert on slowly for each row when (new.id = 42) execute function slow();
call quietly('ids', 'slowly', 10, workers => 1);
select count(*) from slowly;
select count(*) from bg.backend_sessions();

-- Wrong arguments, no right.
create temp table mine (a int primary key);
call bg.copy_table('missing', 'x');
call bg.copy_table('source', 'a.b.c.d');
call bg.copy_table('source', 'nowhere.x');
call bg.copy_table('source', null);
call bg.copy_table('source', 'x', rows => 0);
call bg.copy_table('source', 'x', by => 'nothing');
call bg.copy_table('mine', 'x');
select to_regclass('x');
begin;
call bg.copy_table('source', 'x');
rollback;
create role dba_user login;
grant usage on schema bg, dba_c to dba_user;
set role dba_user;
call bg.copy_table('source', 'empty_copy');
call bg.copy_table('source', 'x');
reset role;

set client_min_messages = warning;
reset search_path;
drop schema dba_c cascade;
drop owned by dba_user;
drop role dba_user;
