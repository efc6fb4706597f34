-- A trigger submits jobs, the server is killed in the midst of them: each is done once
-- bg.submit writes a row in the transaction of the trigger. At its commit the scheduler of the database is woken, and hands the job to a worker.
-- Its effects and the note that it is done are one transaction: after a crash it is there with both, or waits with neither.

create table letter (branch int, written_by int, at timestamptz default clock_timestamp());
create function write_letter(branch int) returns void language sql as $$
    select pg_sleep(0.05);
    insert into letter values (branch, pg_backend_pid());
$$;
create function branch_changed() returns trigger language plpgsql as $$
begin
    perform bg.submit('public.write_letter', jsonb_build_array(new.aid));
    return new;
end $$;
create trigger changed after update on pgbench_accounts for each row execute function branch_changed();

update pgbench_accounts set abalance = abalance + 1 where aid <= 40;
update pgbench_accounts set abalance = abalance + 1 where aid = 41 returning aid;
select bg.wait_job(min(id)) as "the first job is" from bg.jobs;
select count(*) as "jobs that are not done" from bg.jobs where state <> 'done';

\echo kill -9 for a worker: the server loses its shared memory, recovers, and starts anew
select pid as worker from pg_stat_activity where backend_type = 'pllua_bg session' limit 1 \gset
\setenv worker :worker
\! kill -9 $worker; until pg_isready -q; do sleep 0.1; done
\c -
\echo

select bg.wait_job(id) as "is", count(*) as jobs from bg.jobs group by 1;
select count(*) as letters, count(distinct branch) as "to as many branches", count(distinct written_by) as "by so many workers" from letter;

do $$ begin assert (select count(*) = 41 and count(distinct branch) = 41 from letter), 'a letter is missing or double'; end $$;
drop trigger changed on pgbench_accounts;
drop function branch_changed;
drop function write_letter;
drop table letter;
