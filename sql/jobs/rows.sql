-- The row of a job when it ends: it goes into the history as it is, or the job has done nothing; whatever kind of transaction that is.
\set SHOW_CONTEXT never
alter sequence bg.job_id_seq restart with 40000;
create table did (a int, b text);

-- What is stored apart from the row comes with it.
create table large as select string_agg(md5(n::text), '') as text from generate_series(1, 32000) n;
select bg.submit('insert into did values (length($1), $1); select $1', jsonb_build_array(text)) as j1,
    bg.submit('insert into did values (length($1)); /* ' || text || ' */', '["short"]', '{"key": "long statement"}') as j2 from large \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60);
vacuum bg.job;
select d.state, d.args->>0 = l.text as args, d.result = d.args->0 as result, d.note from bg.jobs d, large l where d.id = :j1;
select d.state, d.sql = 'insert into did values (length($1)); /* ' || l.text || ' */' as sql, d.args, d.key, d.queue, d.attempt, d.submitted_at <= d.started_at as submitted,
    d.started_at <= d.ended_at as started, d.pid > 0 as pid, d.error, d.errors from bg.jobs d, large l where d.id = :j2;
select r.a, r.b = l.text as same from did r, large l order by r.a;
drop table large;
truncate did;

-- Isolation levels, and transactions that only read.
create role job_serializable login;
create role job_repeatable login;
alter role job_serializable set default_transaction_isolation = 'serializable';
alter role job_repeatable set default_transaction_isolation = 'repeatable read';
alter role job_repeatable set default_transaction_read_only = on;
grant usage on schema bg to job_serializable, job_repeatable;
grant insert, select on did to job_serializable, job_repeatable;
set role job_serializable;
select bg.submit('insert into did values (1, current_setting(''transaction_isolation'')) returning b') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);
set role job_repeatable;
select bg.submit('insert into did values (2, current_setting(''transaction_isolation'')) returning b') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);
reset role;
select * from did order by a;
select bg.submit('set transaction read only; select current_setting(''transaction_read_only'')') as j1,
    bg.submit('select set_config(''transaction_read_only'', ''on'', false)') as j2,
    bg.submit('select set_config(''transaction_read_only'', ''on'', true)') as j3,
    bg.submit('set transaction_read_only = on; insert into did values (3)', null, '{"attempts": 1}') as j4,
    bg.submit('insert into did values (4)') as j5 \gset
select bg.wait_job(:j1, 60), bg.job_result(:j1), bg.wait_job(:j2, 60), bg.wait_job(:j3, 60), bg.wait_job(:j4, 60), bg.wait_job(:j5, 60);
select error->>'message' as message from bg.jobs where id = :j4;
select a from did order by a;

-- A superuser's job at its own row: there has to be one for it to end.
create function own() returns bigint language sql as $$ select (bg.self()->>'id')::bigint $$;
create sequence runs;
select bg.submit('insert into did values (5); update bg.job set priority = 7 where id = own()') as j1,
    bg.submit('insert into did values (nextval(''runs'')); delete from bg.job where id = own()', null, '{"attempts": 1}') as j2,
    bg.submit('insert into did values (nextval(''runs'')); update bg.job set attempt = 5 where id = own()', null, '{"attempts": 1}') as j3 \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60), bg.wait_job(:j3, 60);
select id - :j1 as n, state, priority, attempt, error->>'sqlstate' as sqlstate, error->>'message' = format('job %s has ended meanwhile', id) as ended from bg.jobs where id between :j1 and :j3 order by id;
select a from did where a > 4;
select last_value from runs; -- a conflict is tried three times more

-- What an administrator gives the tables counts: indexes, foreign keys, triggers after a row.
create index on bg.job_done ((queue || state::text), pid);
create index on bg.job_done (id) where state = 'f';
create table follows (job bigint references bg.job on delete cascade);
create table heard (id bigint, who text);
create function hear() returns trigger language plpgsql as $$ begin insert into heard values (new.id, session_user || '>' || current_user); return new; end $$;
create trigger hear after insert on bg.job_done for each row when (new.queue = 'heard') execute function hear();
set role job_serializable;
select bg.submit('insert into did values (6)', null, '{"queue": "heard"}') as j \gset
reset role;
begin;
select bg.submit('insert into did values (7)') as j2 \gset
insert into follows values (:j2);
commit;
select bg.wait_job(:j, 60), bg.wait_job(:j2, 60);
select count(*) from follows;
select id - :j as n, who = 'job_serializable>' || (select rolname from pg_roles where oid = (select relowner from pg_class where oid = 'bg.job'::regclass)) as who from heard;
set enable_seqscan = off;
set enable_bitmapscan = off;
select id - :j as n from bg.job_done where queue || state::text = 'heardd' and pid > 0;
reset enable_seqscan;
reset enable_bitmapscan;
drop trigger hear on bg.job_done;
drop index bg.job_done_expr_pid_idx, bg.job_done_id_idx;
drop table follows, heard, did;
drop function hear, own;
drop sequence runs;
drop owned by job_serializable, job_repeatable;
drop role job_serializable, job_repeatable;
