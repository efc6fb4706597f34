-- A session that runs the same statement again has a plan of it: what that rests on may be another now, and the statement then means what it says now.
\set SHOW_CONTEXT never
alter sequence bg.job_id_seq restart with 50000;
create function run(sql text, args jsonb default null, options jsonb default null) returns bigint language sql as
    $$ select max(bg.submit(sql, args, options)) from generate_series(1, 12) $$;
create table into_it (a int);
select run('insert into into_it values ($1)', '[1]') as j \gset
select bg.wait_job(id, 60) from bg.jobs where id between :j - 11 and :j order by id desc limit 1;
select count(*) = 12 as all from bg.jobs where id between :j - 11 and :j and bg.wait_job(id, 60) = 'done';
alter table into_it alter a type text using 'was ' || a;
select run('insert into into_it values ($1)', '[1]') as j \gset
select count(*) = 12 as all from bg.jobs where id between :j - 11 and :j and bg.wait_job(id, 60) = 'done';
alter table into_it alter a type date using '2000-01-01';
select run('insert into into_it values ($1)', '["2000-01-02"]') as j1, run('insert into into_it values (''2/3/2000'')') as j2,
    run('insert into into_it values (''2/3/2000'')', null, '{"settings": {"DateStyle": "iso, dmy"}}') as j3, run('insert into into_it values (''2/3/2000'')') as j4 \gset
select count(*) = 48 as all from bg.jobs where id between :j1 - 11 and :j4 and bg.wait_job(id, 60) = 'done';
select a, count(*) from into_it group by a order by a;
drop table into_it;
create table into_it (b jsonb, c int default 7);
select run('insert into into_it values ($1)', '["2000-01-02"]') as j1, run('insert into into_it values ($1)', '[{"a": [1]}]') as j2, run('insert into into_it values ($1)', '[null]') as j3 \gset
select count(*) = 36 as all from bg.jobs where id between :j1 - 11 and :j3 and bg.wait_job(id, 60) = 'done';
select *, count(*) from into_it group by b, c order by b::text;

-- Another search_path, and the same that leads elsewhere.
create schema first_one;
create schema second_one;
create table first_one.place (a int);
create table second_one.place (a int);
set search_path = first_one, second_one, public;
select public.run('insert into place values (1)') as j1 \gset
set search_path = second_one, first_one, public;
select public.run('insert into place values (2)') as j2 \gset
select count(*) = 24 as all from bg.jobs where id between :j1 - 11 and :j2 and bg.wait_job(id, 60) = 'done';
alter table second_one.place rename to former_place;
select public.run('insert into place values (3)') as j1, public.run('insert into place values (2)') as j2 \gset
select count(*) = 24 as all from bg.jobs where id between :j1 - 11 and :j2 and bg.wait_job(id, 60) = 'done';
reset search_path;
select 1 as schema, a, count(*) from first_one.place group by a union all select 2, a, count(*) from second_one.former_place group by a order by 1, 2;
drop schema first_one, second_one cascade;

-- Row security, by its policies and by its setting, for the roles that submit.
create role job_one login;
create role job_two login;
grant usage on schema bg to job_one, job_two;
create table guarded (owner text default current_user, a int);
alter table guarded enable row level security;
create policy own on guarded using (owner = current_user);
grant select, insert, update on guarded to job_one, job_two;
set role job_one;
select run('insert into guarded (a) values ($1)', '[1]') as j1 \gset
set role job_two;
select run('insert into guarded (a) values ($1)', '[1]') as j2 \gset
reset role;
select count(*) = 24 as all from bg.jobs where id between :j1 - 11 and :j2 and bg.wait_job(id, 60) = 'done';
set role job_one;
select run('select count(*) from guarded') as j1 \gset
set role job_two;
select run('select count(*) from guarded') as j2 \gset
reset role;
select count(*) = 24 as all from bg.jobs where id between :j1 - 11 and :j2 and bg.wait_job(id, 60) = 'done';
create policy everything on guarded for select using (true);
set role job_one;
select run('select count(*) from guarded') as j3 \gset
reset role;
select count(*) = 12 as all from bg.jobs where id between :j3 - 11 and :j3 and bg.wait_job(id, 60) = 'done';
select id <= :j2 as before, owner, result, count(*) from bg.jobs where id > :j1 - 12 group by 1, 2, 3 order by 1 desc, 2;
revoke select on guarded from job_one;
set role job_one;
select run('select count(*) from guarded', null, '{"attempts": 1}') as j4 \gset
reset role;
select count(*) = 12 as all from bg.jobs where id between :j4 - 11 and :j4 and bg.wait_job(id, 60) = 'failed';
select distinct error->>'sqlstate' as sqlstate, error->>'message' as message from bg.jobs where id between :j4 - 11 and :j4;

-- Functions that are made anew, and statements that are no queries.
create function greets(name text) returns text language sql as $$ select 'hello ' || name $$;
select run('select * from greets($1)', '["you"]') as j1 \gset
select count(*) = 12 as all from bg.jobs where id between :j1 - 11 and :j1 and bg.wait_job(id, 60) = 'done';
create or replace function greets(name text) returns text language sql as $$ select 'bye ' || name $$;
select run('select * from greets($1)', '["you"]') as j2 \gset
select count(*) = 12 as all from bg.jobs where id between :j2 - 11 and :j2 and bg.wait_job(id, 60) = 'done';
drop function greets;
create function greets(name text, often int default 2) returns text language sql as $$ select repeat(name, often) $$;
select run('select * from greets($1)', '["you"]') as j3 \gset
select count(*) = 12 as all from bg.jobs where id between :j3 - 11 and :j3 and bg.wait_job(id, 60) = 'done';
select id - :j1 as n, result from bg.jobs where id in (:j1, :j2, :j3) order by id;
create procedure notes(inout a int) language plpgsql as $$ begin a := a + 1; end $$;
select run('call notes($1)', '[1]') as j1, run('create temp table t as select 1 as a; select a from t; drop table t') as j2, run('explain (costs off) select 1') as j3 \gset
select count(*) = 36 as all from bg.jobs where id between :j1 - 11 and :j3 and bg.wait_job(id, 60) = 'done';
select id - :j1 as n, result from bg.jobs where id in (:j1, :j2, :j3) order by id;

-- A domain whose check submits so many others that the statement it is an argument of is forgotten meanwhile.
create function submits_many(int) returns boolean language plpgsql as $$ begin return count(bg.submit('select ' || n)) = 200 from generate_series(1, 200) n; end $$;
create domain submitting as int check (submits_many(value));
create function adds(a submitting, b int, c int, d int) returns int language sql as $$ select a + b + c + d $$;
select bg.submit('select adds($1, $2, $3, $4)', '[1, 2, 3, 4]') > 0 as submitted;
select bg.submit('select adds($1, $2, $3, $4)', '[1, 2, 3, 4]') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);

drop function adds;
drop domain submitting;
drop function submits_many;
drop procedure notes;
drop function greets, run;
drop table into_it, guarded;
drop owned by job_one, job_two;
drop role job_one, job_two;
