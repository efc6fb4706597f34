-- Jobs run with the rights of who has submitted them and no others; they are seen, cancelled and waited for by members of their role.
\set SHOW_CONTEXT never
alter sequence bg.job_id_seq restart with 20000;
create role job_app login;
create role job_other login;
create role job_member login in role job_app;
create role job_reader login in role pg_read_all_stats;
create role job_stranger login;
grant usage on schema bg to job_app, job_other, job_member, job_reader;
create table whose (who text, session text, a int);
grant insert, select on whose to job_app, job_member;
create table secret (a int);
insert into secret values (1);

-- Nobody has rights on the tables, by default privileges neither.
select c.relname, c.relkind, (select string_agg(a.privilege_type, ',') from aclexplode(c.relacl) a where a.grantee <> c.relowner) as granted
from pg_depend d join pg_class c on c.oid = d.objid where d.classid = 'pg_class'::regclass and d.refobjid = (select oid from pg_extension where extname = 'pllua_bg_jobs')
and c.relkind in ('r', 'p', 'v', 'S') order by c.relname;
select p.oid::regprocedure from pg_depend d join pg_proc p on p.oid = d.objid where d.classid = 'pg_proc'::regclass
and d.refobjid = (select oid from pg_extension where extname = 'pllua_bg_jobs') and not has_function_privilege('job_app', p.oid, 'execute') order by p.proname;

set role job_app;
select * from bg.job;
delete from bg.job_done;
select bg.queue('mine', 5);
select bg.jobs_pause();
select bg.jobs_adopt();
select bg.submit('insert into whose values (current_user, session_user, 1)') as mine \gset
select bg.wait_job(:mine, 60);
select bg.submit('select a from secret', null, '{"attempts": 1}') as refused \gset
select bg.wait_job(:refused, 60);
select bg.job_result(:refused);
reset role;
select * from whose;

-- Others see nothing of it and can do nothing to it, members can.
set role job_app;
select bg.submit('select $1::text', '["hidden"]', '{"delay": "1 day", "key": "hidden key", "queue": "hidden queue"}') as later \gset
set role job_other;
select count(*) from bg.jobs;
select count(*) from bg.job_runs;
select name from bg.queues order by name;
select count(*) from bg.job_plan();
create function pg_temp.leaks(text) returns boolean language plpgsql cost 0.0000001 as $$ begin raise notice 'leaked: %', $1; return true; end $$;
select count(*) from bg.jobs where pg_temp.leaks(sql) and pg_temp.leaks(args::text) and pg_temp.leaks(result::text) and pg_temp.leaks(key);
select count(*) from bg.job_runs where pg_temp.leaks(sql) and pg_temp.leaks(result::text);
select count(*) from bg.queues where pg_temp.leaks(name);
select count(*) from bg.job_plan() where pg_temp.leaks(queue);
select bg.cancel_job(:later);
select bg.retry_job(:refused);
select bg.run_job_now(:later);
select bg.wait_job(:mine);
select bg.job_result(:mine);
select bg.submit('select 1', null, jsonb_build_object('after', :later));
do language pllua_bg $$ print((select(2, pcall(function() bg.job(20000):result() end)))) $$;
set role job_reader;
select args, key from bg.jobs where id = :later;
select bg.cancel_job(:later);
set role job_member;
select state, args, key, queue from bg.jobs where id = :later;
select name from bg.queues order by name;
select bg.cancel_job(:later);
select bg.wait_job(:later, 60);
select bg.job_result(:later);
reset role;

-- Without USAGE on the schema there are no jobs. A grant that is taken back holds what waits.
set role job_stranger;
select bg.submit('select 1');
reset role;
set role job_app;
select bg.submit('select 1', null, '{"delay": "0.2 s"}') as held \gset
reset role;
revoke usage on schema bg from job_app;
select state, reason from bg.jobs where id = :held;
select state, reason from bg.job_plan() where id = :held;
grant usage on schema bg to job_app;
select bg.run_job_now(:held);
select bg.wait_job(:held, 60);

-- So it is with one that may not log in, before PostgreSQL 17, or not connect.
set role job_app;
select bg.submit('select 1', null, '{"delay": 1000}') as held \gset
reset role;
alter role job_app nologin;
select (coalesce(reason, '') = 'role job_app is not permitted to log in') = (current_setting('server_version_num')::int < 170000) as held from bg.jobs where id = :held;
alter role job_app login;
do $$ begin execute format('revoke connect on database %I from public', current_database()); end $$;
select state, reason from bg.jobs where id = :held;
do $$ begin execute format('grant connect on database %I to public', current_database()); end $$;
select state, reason from bg.jobs where id = :held;
select bg.cancel_job(:held);

-- In a definer's function it is the definer's job; SET ROLE counts.
create function definer(a int) returns bigint language sql security definer as $$ select bg.submit('insert into whose values (current_user, session_user, $1)', jsonb_build_array(a)) $$;
alter function definer(int) owner to job_app;
create table watched (a int);
create function watch() returns trigger language plpgsql security definer as $$ begin perform bg.submit('insert into whose values (current_user, session_user, $1)', jsonb_build_array(new.a)); return new; end $$;
alter function watch() owner to job_app;
create trigger watch after insert on watched for each row execute function watch();
grant insert on watched to job_stranger;
set role job_stranger;
insert into watched values (2);
reset role;
set role job_other;
select definer(3) > 0;
reset role;
set role job_member;
select bg.submit('insert into whose values (current_user, session_user, 4)') as j \gset
reset role;
select bool_and(bg.wait_job(id, 60) = 'done') from bg.jobs where sql like 'insert into whose%';
select * from whose order by a;

-- What a job does to its own role, user or settings ends with it, and gives it nothing.
set role job_member;
select bg.submit('set role job_app; insert into whose values (current_user, session_user, 5)') as j1, bg.submit('insert into whose values (current_user, session_user, 6)') as j2,
    bg.submit('set session authorization job_other', null, '{"attempts": 1}') as j3, bg.submit('select bg.run_job($1, 0)', '[1]', '{"attempts": 1}') as j4 \gset
select bg.wait_job(j, 60) from unnest(array[:j1, :j2, :j3, :j4]) j;
select bg.job_result(:j3);
select bg.job_result(:j4);
reset role;
select * from whose where a > 4 order by a;

-- Operators, functions and tables of users are not found where ours are meant.
create schema job_trap;
grant all on schema job_trap to job_app;
set role job_app;
create function job_trap.never(bigint, bigint) returns boolean language plpgsql as $$ begin raise 'trapped as %', current_user; end $$;
create operator job_trap.= (leftarg = bigint, rightarg = bigint, function = job_trap.never);
create function job_trap.count() returns bigint language plpgsql as $$ begin raise 'trapped as %', current_user; end $$;
create table job_trap.job (id bigint);
create domain job_trap.int4 as pg_catalog.int4 check (false);
create domain job_trap.int8 as pg_catalog.int8 check (false);
create domain job_trap.float8 as pg_catalog.float8 check (false);
create domain job_trap.timestamptz as pg_catalog.timestamptz check (false);
create domain job_trap.jsonb as pg_catalog.jsonb check (false);
create domain job_trap.text as pg_catalog.text check (false);
create domain job_trap.oid as pg_catalog.oid check (false);
create domain job_trap."char" as pg_catalog."char" check (false);
create type job_trap.regrole as (a int);
set search_path = job_trap, pg_catalog, bg;
select bg.submit('select 1') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j), bg.cancel_job(:j);
select state from bg.jobs j where j.id operator(pg_catalog.=) :j;
select bg.submit('select 1', null, pg_catalog.jsonb_build_object('after', :j, 'every', '1 day', 'key', 'k')) as j \gset
select bg.cancel_job(:j);
do language pllua_bg $$ assert(bg.submit('select 1', {}, {delay = 0}) > 0) $$;
reset search_path;
reset role;

-- Nor in the session that runs a job, whatever its role has set.
create role job_trapped login;
grant usage on schema bg, job_trap to job_trapped;
alter role job_trapped set search_path = job_trap, pg_catalog, bg;
set role job_trapped;
select bg.submit('select bg.self() is not null') as j1, bg.submit('select 1', null, '{"transaction": false}') as j2,
    bg.submit('select pg_catalog.pg_advisory_xact_lock(4711)', null, '{"every": "1 day"}') as j3 \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60);
-- One that recurs ends with its next run: that does not end before somebody waits for it.
select pg_catalog.pg_advisory_lock(4711), pg_catalog.set_config('my.j3', :'j3', false) is not null as kept;
select bg.run_job_now(:j3);
do language pllua_bg $$
    local j = bg.job(math.tointeger(tonumber(spi.execute("select pg_catalog.current_setting('my.j3') as id")[1].id)))
    assert(j:pending())
    spi.execute('select pg_catalog.pg_advisory_unlock(4711)')
    print(j:wait(60))
$$;
select bg.job_result(:j1);
select bg.cancel_job(:j3);
select bg.wait_job(:j3, 60);
reset role;
drop owned by job_trapped;
drop role job_trapped;
set client_min_messages = warning;
drop schema job_trap cascade;
reset client_min_messages;

-- A role that is dropped leaves jobs that are held and can be cancelled by superusers.
set role job_other;
select bg.submit('select 1', null, '{"delay": "0.3 s"}') as orphan \gset
reset role;
drop owned by job_other;
drop role job_other;
select state, replace(reason, :'orphan', 'N') as reason from bg.jobs where id = :orphan;
set role job_app;
select bg.cancel_job(:orphan);
reset role;
select bg.cancel_job(:orphan);
select bg.wait_job(:orphan, 60);

select bg.cancel_job(id) from bg.jobs where every is not null and ended_at is null;
drop table whose, secret, watched;
drop function definer, watch;
drop owned by job_app, job_member, job_reader, job_stranger;
drop role job_app, job_member, job_reader, job_stranger;
