-- bg.run_on: a statement in several databases, in several schemas, or on several servers.
\set SHOW_CONTEXT never
create schema dba_1;
create schema "Dba 2";
create table note (n int);
create table "Dba 2".note (n int);
create view outcome as select item, statement, ok, tag, sqlstate, error from bg.last_run;

-- Schemas: that one comes first, the others are there, too.
call bg.run_on('create table note as select current_schema() as here', schemas => array['dba_1'], dry_run => true);
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.run_on('create table note_2 as select current_schema() as here from public.note', null, array['dba_1', 'Dba 2', 'nowhere'], null, 2, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
    call bg.run_on('insert into note select 1 from pg_class limit 1', null, array['dba_1', 'Dba 2', 'nowhere'], null, 2, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select * from outcome;
select count(*) from note;
select count(*) from "Dba 2".note;
select table_schema from information_schema.tables where table_name = 'note_2' order by 1;
call bg.run_on('vacuum note', schemas => array['dba_1', 'Dba 2']) \g /dev/null
select * from outcome;

-- Databases: one that there is, and one that there is not.
select current_database() as here \gset
create database dba_run_on template template0;
\c dba_run_on
create extension pllua_bg;
\c :here
\set SHOW_CONTEXT never
call bg.run_on('create table made_there as select current_database() as here', databases => array['dba_run_on', 'dba_missing']) \g /dev/null
select item, ok, tag, sqlstate, error from bg.last_run;
call bg.run_on('insert into made_there values (1 / 0)', databases => array['dba_run_on'], on_error => 'stop');
call bg.run_on('select 1', databases => array['dba_missing'], on_error => 'stop');
\c dba_run_on
table made_there;
\c :here
\set SHOW_CONTEXT never

-- Servers: here this one.
set client_min_messages = warning;
create extension if not exists postgres_fdw;
reset client_min_messages;
create server dba_self foreign data wrapper postgres_fdw options (host :'HOST', port :'PORT', dbname 'dba_run_on');
create user mapping for current_user server dba_self options (user :'USER');
call bg.run_on('insert into made_there values (''by a server'')', servers => array['dba_self', 'dba_no_server']) \g /dev/null
select item, ok, tag, sqlstate, error from bg.last_run;
set client_min_messages = warning;
drop server dba_self cascade;
reset client_min_messages;

-- A cancel ends all.
select set_config('my.caller', pg_backend_pid()::text, false) <> '' as caller;
call bg.run_on('select pg_cancel_backend(current_setting(''my.caller'')::int), pg_sleep(1000)', -- workload
    databases => array['dba_run_on', 'dba_run_on'], workers => 1);
select item, ok, pid is not null as begun from bg.last_run;
select count(*) from bg.backend_sessions();
drop database dba_run_on with (force);

-- Wrong arguments; what may not be used.
call bg.run_on('select 1');
call bg.run_on('select 1', databases => '{a}', schemas => '{b}');
call bg.run_on(null, schemas => '{public}');
call bg.run_on('select 1', schemas => array['public', null]);
call bg.run_on('select 1', schemas => '{}') \g /dev/null
begin;
call bg.run_on('select 1', schemas => '{public}');
rollback;
create role dba_user login;
grant usage on schema bg to dba_user;
set role dba_user;
call bg.run_on('select 1', schemas => '{dba_1}', on_error => 'stop');
reset role;

set client_min_messages = warning;
drop view outcome;
drop table note;
drop schema dba_1, "Dba 2" cascade;
drop owned by dba_user;
drop role dba_user;
