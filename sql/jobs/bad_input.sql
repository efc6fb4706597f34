-- What cannot be a job is refused when it is submitted, with a code and a word about what would do.
\set SHOW_CONTEXT never
create table target (a int, b text);
create function show_error(sql text, args jsonb default null, options jsonb default null) returns text language plpgsql as $$
declare
    state text; message text; detail text; hint text;
begin
    perform bg.submit(sql, args, options);
    return 'accepted';
exception when others then
    get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
    return concat_ws(' ', state || ':', message, nullif('[' || detail || ']', '[]'), nullif('(' || hint || ')', '()'));
end
$$;

select show_error(s) from unnest(array[null, '', '  ', ';', '-- nothing', 'selec 1', 'select 1 +', 'select * from no_table', 'select no_function()', 'select $1', 'public.no_function',
    'no_schema.fn', 'public.target', 'a.b.c', 'show_error', 'begin', 'select 1; commit', 'rollback', 'savepoint a', 'prepare transaction ''x''', 'copy target from stdin',
    'copy target to stdout', 'vacuum', 'create index concurrently on target (a)', 'create database x', 'alter system set work_mem = 1', 'cluster',
    'drop index concurrently target', 'reindex index concurrently target', 'reindex schema public', 'alter table target detach partition a concurrently',
    'alter database x set tablespace pg_default', 'discard all', 'wait for lsn ''0/0''', 'repack (concurrently) target', 'listen x', 'select 1; unlisten *']) s;
-- What is off is not asked for.
begin;
select bg.submit(s) is not null as taken
from unnest(array['reindex (concurrently off) table target', 'alter table target detach partition a', 'alter database x connection limit 5', 'discard plans']) s;
rollback;
-- The context says which argument it is.
\set SHOW_CONTEXT errors
select bg.submit('insert into target values ($2, $1)', '["x", "y"]');
\set SHOW_CONTEXT never
-- The position is that within the job.
select bg.submit('select a, x from target');
select bg.submit('select a fro target x');

select show_error('insert into target values ($1, $2)', a) from unnest(array['[]', '[1]', '[1, 2, 3]', '["x", 2]', '[1.5, 2]', '[99999999999, 2]', '{"a": 1}', '1', '"x"', 'null',
    '[[1], 2]', '[{"a": 1}, 2]', '[null, null]', '[1, {"deep": [1]}]']::jsonb[]) a;
-- What only this session has; where it is not the same one that the job would find, it is to be said which.
create temp table target (b int);
create temp view seen as select 1 as a;
select show_error(s) from unnest(array['insert into target values (1)', 'select a from seen', 'select 1 where exists (select from target)', 'update public.target set a = t.b from pg_temp.target t',
    'with t as (delete from target returning b) select 1', 'create table made as select b from target', 'explain analyze select a from seen', 'select a from public.target']) s;
drop table pg_temp.target;
drop view seen;

select show_error('select 1', '[1]');
select show_error('select $2::int', '[1, 2]');
select show_error('select $1::int; select 1', '["unchecked"]', '{"attempts": 1}');

select show_error('select 1', null, o) from unnest(array['[]', '{}', '[1]', '1', '{"unknown": 1}', '{"Queue": "x"}', '{"queue": ""}', '{"queue": 5}', '{"queue": null}', '{"key": ""}', '{"key": ["a"]}',
    '{"mode": "keep"}', '{"mode": "other", "key": "a"}', '{"at": "never"}', '{"at": 5}', '{"at": "2001-01-01"}', '{"at": "infinity"}', '{"at": "2100-01-01", "delay": 1}', '{"delay": -1}',
    '{"delay": "-1 s"}', '{"delay": "x"}', '{"delay": true}', '{"delay": 1e300}', '{"every": ""}', '{"every": "x"}', '{"every": "61 * * * *"}', '{"every": 0}', '{"every": "-1 s"}', '{"priority": 1.5}',
    '{"priority": 40000}', '{"priority": "1"}', '{"attempts": 0}', '{"attempts": -1}', '{"attempts": 1001}', '{"attempts": 1e20}', '{"backoff": "fast"}', '{"backoff": -1}', '{"timeout": 0}',
    '{"timeout": -1}', '{"timeout": "1 month"}', '{"timeout": []}', '{"limit": 1}', '{"limit_key": ""}', '{"limit_key": "a", "limit": 0}', '{"limit_key": "a", "limit": -1}', '{"after": [0]}', '{"after": ["x"]}',
    '{"after": [1.5]}', '{"after": [9000000000000000000]}', '{"after": {"a": 1}}', '{"after": []}', '{"after_failed": "run"}', '{"after": 9000000000000, "after_failed": "x"}', '{"transaction": "no"}',
    '{"keep": "some"}', '{"settings": 5}', '{"settings": {"work_mem": "much"}}', '{"settings": {"no_setting": 1}}', '{"settings": {"role": "x"}}', '{"settings": {"Session_Authorization": "x"}}',
    '{"settings": {"wal_level": "minimal"}}', '{"settings": {"work_mem": []}}', '{"settings": {}}']::jsonb[]) o;
select show_error('select 1', null, jsonb_build_object('queue', repeat('q', 201)));
select show_error('select 1', null, jsonb_build_object('key', repeat('k', 1001)));
select show_error('select 1', null, jsonb_build_object('after', (select jsonb_agg(n) from generate_series(1, 10001) n)));

-- Large and deep ones.
select show_error('select 1; select 2', (select jsonb_agg(n) from generate_series(1, 65536) n));
select show_error('select length($1::text)', jsonb_build_array((repeat('[', 3000) || repeat(']', 3000))::jsonb));
select show_error('select 1 -- ' || repeat('x', 268435456)) like '54000: the job is too long%' as too_long;

-- The others.
select bg.submit(null);
select bg.cancel_job(null);
select bg.cancel_job(9000000000000), bg.retry_job(1);
select bg.wait_job(9000000000000);
select bg.wait_job(1, -1);
select bg.wait_job(1, 'NaN');
select bg.job_result(9000000000000);
select bg.run_job(1, 0);
select bg.name_job(1, 0);
call bg.run_scheduler();
select bg.self(), bg.cancelled();
select bg.snooze('1 s');
select bg.discard('x');
select bg.find_step('x');
select bg.keep_step('x', null);
select bg.queue(null);
select bg.queue('');
select bg.queue('q', -1);
select bg.queue('q', keep => 'x');
-- The scheduler looks at options: they are no place for data.
select bg.submit('select 1', null, jsonb_build_object('settings', jsonb_build_object('my.note', repeat('x', 70000))));
select bg.submit('select $1', jsonb_build_array(repeat('x', 17000000)), '{"transaction": false}');
select bg.next_run('1 h', 'infinity', 'UTC');
select bg.next_run('0 0 * * *', '-infinity', 'UTC');
do language pllua_bg $$
    local function show(...) print((select(2, pcall(...)))) end
    show(bg.submit) show(bg.submit, 1) show(bg.submit, 'select 1', 2) show(bg.submit, 'select 1', {}, 3) show(bg.submit, 'select 1', {}, {colour = 'red'})
    show(bg.job) show(bg.job, 'x') show(bg.job, 0) show(function() bg.job(9000000000000):status() end) show(bg.job(1).wait) show(function() bg.job(1):wait(-1) end)
    show(bg.snooze, 1) show(bg.discard, 'x') show(bg.step, 'x', print)
    print(bg.self, bg.cancelled())
$$;

select coalesce(bool_and(bg.wait_job(id, 60) is not null), true) as all_ended from bg.jobs where ended_at is null;
drop function show_error;
drop table target;
