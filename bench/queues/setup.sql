-- bench/queues/setup.sql: the queues that are measured against bg.submit, as River and graphile-worker lay them out (own SQL), and the effect of a job.
create table effect (id bigint, at timestamptz not null default clock_timestamp());

-- River: a row keeps its state; workers claim by UPDATE .. SKIP LOCKED and complete by a second one.
create table river (
    id bigint generated always as identity primary key, state text not null default 'available', queue text not null default 'default',
    priority smallint not null default 1, attempt smallint not null default 0, max_attempts smallint not null default 25, attempted_at timestamptz,
    attempted_by text[], scheduled_at timestamptz not null default now(), created_at timestamptz not null default now(), finalized_at timestamptz,
    kind text not null default 'bench', args jsonb not null default '{}', errors jsonb[], tags text[] not null default '{}', metadata jsonb not null default '{}');
create index on river (state, queue, priority, scheduled_at, id);
create index on river (state, finalized_at) where finalized_at is not null;

-- graphile-worker: a claim is a lock in the row; what is done is deleted.
create table graphile (
    id bigint generated always as identity primary key, task_id int not null default 1, payload jsonb not null default '{}', priority smallint not null default 0,
    run_at timestamptz not null default now(), attempts smallint not null default 0, max_attempts smallint not null default 25, last_error text,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), key text, locked_at timestamptz, locked_by text,
    revision int not null default 0, flags jsonb, is_available boolean generated always as (locked_at is null and attempts < max_attempts) stored not null);
create index on graphile (priority, run_at) include (id, task_id) where is_available;
create unique index on graphile (key);

-- Fills a queue with so many jobs, whose effect is one row.
create procedure fill(queue text, jobs int) language plpgsql as $$ begin
    if queue = 'pllua_bg' then
        perform bg.submit('insert into effect values ($1)', jsonb_build_array(i)) from generate_series(1, jobs) i;
    else
        execute format('insert into %I select from generate_series(1, $1)', queue) using jobs;
    end if;
end $$;

-- Ends when the condition holds; looks each millisecond.
create procedure reach(condition text) language plpgsql as $$
declare
    holds boolean;
    ended timestamptz = clock_timestamp() + interval '10 minutes';
begin
    loop
        execute 'select ' || condition into holds;
        exit when holds;
        if clock_timestamp() > ended then raise 'never came true: %', condition; end if;
        perform pg_sleep(0.001);
        commit;
    end loop;
end $$;
