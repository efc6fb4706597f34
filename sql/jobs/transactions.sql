-- A job is submitted when its transaction commits, and not when that, or its subtransaction, rolls back.
\set SHOW_CONTEXT never
alter sequence bg.job_id_seq restart with 30000;
create table ran (a int);
begin;
select bg.submit('insert into ran values (1)');
select count(*) from bg.jobs where sql = 'insert into ran values (1)' and state = 'waiting';
rollback;
begin;
savepoint s;
select bg.submit('insert into ran values (2)');
rollback to s;
select bg.submit('insert into ran values (3)') as j3 \gset
savepoint s;
select bg.submit('insert into ran values (4)') as j4 \gset
release s;
commit;
do $$ begin
    perform bg.submit('insert into ran values (5)');
    begin perform bg.submit('insert into ran values (6)'); raise 'undo'; exception when raise_exception then null; end;
end $$;
select bg.wait_job(id, 60) from bg.jobs where sql like 'insert into ran values (_)' order by id;
select * from ran order by a;

-- Its own transaction cannot wait for it; another one with an old snapshot can.
begin;
select bg.submit('insert into ran values (7)') as j \gset
select bg.wait_job(:j);
rollback;
begin isolation level repeatable read;
select count(*) from ran;
commit;
select bg.submit('insert into ran values (8)') as j \gset
begin isolation level repeatable read;
select bg.wait_job(:j, 60);
commit;

-- All or nothing: what a job does and that it is done.
select bg.submit('insert into ran values (9); select 1 / 0', null, '{"attempts": 1}') as j \gset
select bg.wait_job(:j, 60);
create table later (a int unique deferrable initially deferred);
insert into later values (1);
select bg.submit('insert into later values (1)', null, '{"attempts": 1}') as j \gset
select bg.wait_job(:j, 60);
select state, error->>'sqlstate' as sqlstate from bg.jobs where id = :j;
select count(*) from ran where a = 9;

-- In no transaction: what cannot be in one, and a procedure that commits.
create procedure commits() language plpgsql as $$ begin insert into ran values (10); commit; insert into ran values (11); rollback; insert into ran values (12); end $$;
select bg.submit('vacuum ran', null, '{"transaction": false}') as j1, bg.submit('public.commits', null, '{"transaction": false}') as j2,
    bg.submit('call commits()', null, '{"attempts": 1}') as j3 \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60), bg.wait_job(:j3, 60);
select bg.job_result(:j3);
select a from ran where a >= 10 order by a;

-- Where jobs cannot be submitted.
begin read only;
select bg.submit('select 1');
rollback;
select bg.submit('select 1', null, '{"delay": 1000}') as j \gset
begin read only;
select bg.cancel_job(:j);
rollback;
create function submits(a int) returns int immutable language plpgsql as $$ begin perform bg.submit('select 1'); return a; end $$;
create index on ran (submits(a));
create materialized view restricted as select submits(1);
create materialized view restricted as select bg.submit('select 1');
create function cancels(a int) returns int immutable language plpgsql as $$ begin perform bg.cancel_job(1); return a; end $$;
create index on ran (cancels(a));
set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
create function parallel_submit(a int) returns bigint parallel safe language sql as $$ select bg.submit('select 1') $$;
create table wide as select generate_series(1, 10000) a;
analyze wide;
select sum(parallel_submit(a)) from wide where a < 3 group by a % 2;
create function parallel_cancel(a int) returns boolean parallel safe language sql as $$ select bg.cancel_job(1) $$;
select bool_or(parallel_cancel(a)) from wide where a < 3 group by a % 2;
drop table wide;
drop function parallel_submit, parallel_cancel, submits, cancels;

-- Who submits waits for no lock, and keeps none.
create table locked (a int);
select bg.launch() as pid \gset
select bg.run(:pid, 'begin; lock table locked');
select bg.wait(:pid, 60);
select bg.submit('insert into locked values ($1)', '[1]') as j1, bg.submit('insert into locked values ($1)', '["unchecked"]', '{"attempts": 1}') as j2 \gset
select bg.run(:pid, 'commit');
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60);
begin;
select bg.submit('insert into locked values ($1)', '[2]') as j3 \gset
select bg.run(:pid, 'begin; lock table locked nowait; commit');
select * from bg.result(:pid, 60) as (tag text);
commit;
select bg.wait_job(:j3, 60);
select * from locked order by a;
select bg.close(:pid);
drop table locked;

-- Nor does who waits: the history is emptied meanwhile.
begin;
select bg.wait_job(:j3, 60), bg.wait_job(:j, 0) is null as waits;
select relation::regclass, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and relation::regclass::text like 'bg.%';
commit;

-- In a trigger, many at a time, also as an expression.
create table queue_of_work (a int);
create function submit_row() returns trigger language pllua_bg as $$ bg.submit('insert into ran values (1000 + $1)', {trigger.new.a}) $$;
create trigger submit_row after insert on queue_of_work for each row execute function submit_row();
insert into queue_of_work select generate_series(1, 300);
select count(bg.submit('insert into ran values (2000 + $1)', jsonb_build_array(n))) from generate_series(1, 300) n;
select count(*) from bg.jobs where sql like 'insert into ran values (_000%' and bg.wait_job(id, 60) = 'done';
select count(*), count(distinct a) from ran where a > 1000;

select bg.cancel_job(:j);
drop procedure commits;
drop table ran, later, queue_of_work;
drop function submit_row;
