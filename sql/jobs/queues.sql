-- Queues, what is kept of jobs, pausing, and what the plan says of those that wait.
\set SHOW_CONTEXT never
alter sequence bg.job_id_seq restart with 10000;
create function plan(bigint) returns text language sql as $$ select regexp_replace(state || ': ' || reason, 'its time is .*', 'its time is T') from bg.job_plan() where id = $1 $$;
select bg.jobs_pause();
select bg.submit('select 1') as j1, bg.submit('select 2', null, '{"delay": "1 hour", "queue": "q1"}') as j2, bg.submit('select 3', null, '{"queue": "q2"}') as j3 \gset
select bg.submit('select 4', null, jsonb_build_object('after', jsonb_build_array(:j1, :j2))) as j4 \gset
select plan(:j1), plan(:j2), plan(:j4) = format('blocked: after jobs %s, %s', :j1, :j2) or plan(:j4) like 'held: %' as blocked;
select state, after = array[:j1, :j2]::bigint[] as after from bg.jobs where id = :j4;
select name, waiting, scheduled, blocked, held, running, paused, keep from bg.queues order by name;
select bg.queue('q2', workers => 1, paused => true, keep => 'none');
select bg.jobs_resume();
select bg.wait_job(:j1, 60), plan(:j2), replace(plan(:j4), :j2::text, 'N'), plan(:j3);
select name, workers, paused, keep from bg.queues order by name;
select bg.queue('q2', paused => false);
select bg.submit('select 5', null, '{"queue": "q2", "keep": "all"}') as j5 \gset
select bg.wait_job(:j5, 60);
select count(*) from bg.jobs where id = :j3;
select bg.run_job_now(:j2);
select bg.wait_job(:j2, 60), bg.wait_job(:j4, 60), bg.job_result(:j4);

-- keep: of a job, and of a queue.
select bg.submit('select 1', null, '{"keep": "none"}') as j1, bg.submit('select 1 / 0', null, '{"keep": "none", "attempts": 1}') as j2, bg.submit('select 1', null, '{"keep": "failed"}') as j3,
    bg.submit('select 1 / 0', null, '{"keep": "failed", "attempts": 1}') as j4, bg.submit('select 1', null, '{"keep": "all", "queue": "q2"}') as j5 \gset
select bg.wait_job(:j5, 60);
select bg.wait_job(:j4, 60);
select count(*) from bg.jobs where ended_at is null and id in (:j1, :j2, :j3, :j4, :j5);
select id - :j1 as n, state from bg.job_runs where id in (:j1, :j2, :j3, :j4, :j5) order by id;
select bg.wait_job(:j1);

select name, rate > 0 as has_rate from bg.queues order by name;

-- Orders.
select bg.submit('select 1', null, '{"delay": 1000}') as j \gset
begin;
select bg.cancel_job(:j);
rollback;
select state from bg.jobs where id = :j;
select bg.retry_job(:j), bg.cancel_job(:j);
select bg.wait_job(:j, 60);
select bg.cancel_job(:j), bg.run_job_now(:j);
select bg.job_result(:j);
begin;
select bg.retry_job(:j), bg.cancel_job(:j);
commit;
select bg.wait_job(:j, 60);
select bg.job_result(:j);
select bg.retry_job(:j);
select bg.wait_job(:j, 60), bg.job_result(:j);
select bg.retry_job(:j);
begin;
select bg.submit('select 1') as j \gset
select bg.cancel_job(:j);
commit;
select bg.wait_job(:j, 60);
-- One that runs for long. -- workload
select bg.submit('select pg_sleep(600)') as j \gset
do $$ begin while not exists (select from bg.jobs where sql = 'select pg_sleep(600)' and state = 'running') loop perform pg_sleep(0.01); end loop; end $$; -- workload
select state, reason, pid is not null as has_pid, plan(id) from bg.jobs where id = :j;
select bg.cancel_job(:j);
select bg.wait_job(:j, 60);

delete from bg.job_queue;
drop function plan;
