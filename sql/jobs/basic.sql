-- A job runs once its transaction has committed, as who has submitted it, and leaves what it has returned.
\set SHOW_CONTEXT never
create table log (a int, b text);
select bg.submit('insert into log values ($1, $2) returning a', '[1, "one"]') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);
select * from log;
select state, queue, priority, owner, sql, args, attempt, ended_at >= started_at and started_at >= submitted_at as in_order, result, error
from bg.jobs where id = :j;
select state, took >= '0' as took, pid <> pg_backend_pid() as elsewhere, result from bg.job_runs where id = :j;

-- A function by its name, with arguments in order or by name; a procedure.
create function add(a int, b int default 10, "C" int[] default '{}') returns int language sql as 'select a + b + coalesce(array_length("C", 1), 0)';
create procedure put(a int, b text) language sql as 'insert into log values (a, b)';
select bg.submit('public.add', '[1]') as j1, bg.submit('public.add', '{"a": 1, "C": [7, 8]}') as j2, bg.submit('public.put', '{"b": "two", "a": 2}') as j3,
    bg.submit('public.put', '[3, null]') as j4 \gset
select bg.wait_job(:j1, 60), bg.job_result(:j1), bg.wait_job(:j2, 60), bg.job_result(:j2), bg.wait_job(:j3, 60), bg.job_result(:j3), bg.wait_job(:j4, 60);
select sql, args from bg.jobs where id in (:j1, :j2, :j3) order by id;
select * from log order by a;

-- What the statement asks for decides what becomes of an argument.
create type pair as (x int, "y z" text);
create domain small as int check (value < 10);
create function kinds(i int, n numeric, t text, b boolean, d date, j jsonb, js json, a int[], m text[], p pair, ps pair[], s small, u uuid, bx box[])
returns text language sql as $$ select concat_ws(' | ', i, n, t, b, d, j, js, a, m, p, ps, s, u, bx) $$;
select bg.submit('public.kinds', '[1, 1.50, "t\"ext", true, "2020-02-03", "j", {"k": [1, null]}, [1, 2], [["a", "b,c"], ["\"", null]], {"x": 5, "y z": "(,)\"\\"},
    [{"x": 1}, {"y z": "q"}], 9, "00000000-0000-0000-0000-000000000001", ["(1,1),(0,0)", "(3,3),(2,2)"]]') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j) #>> '{}';
select bg.submit('select $1 as a, $2 as b, $3 as c, $4 as d, $5 as e, $6 as f', '[1, 3000000000, 1.5, "t", true, {"x": null}]') as j1,
    bg.submit('select array[pg_typeof($1), pg_typeof($2), pg_typeof($3), pg_typeof($4), pg_typeof($5), pg_typeof($6)]', '[1, 3000000000, 1.5, "t", true, {"x": null}]') as j2,
    bg.submit('select $1::text, $2::jsonb', '["null", null]') as j3 \gset
select bg.wait_job(:j1, 60), bg.job_result(:j1), bg.wait_job(:j2, 60), bg.job_result(:j2), bg.wait_job(:j3, 60), bg.job_result(:j3);

-- What is returned: the first row of the last statement that has rows, or its only column.
select bg.submit('select 1 as a, ''b'' as "B" union all select 2, null order by 1') as j1, bg.submit('select') as j2, bg.submit('select 1 where false') as j3,
    bg.submit('create table made (a int); insert into made values (1), (2) returning a; update made set a = a + 1') as j4,
    bg.submit('select repeat(''x'', 2000000)') as j5, bg.submit('select json ''"\u0000"''') as j6, bg.submit('select ''infinity''::timestamptz') as j7 \gset
select bg.wait_job(j, 60), bg.job_result(j) from unnest(array[:j1, :j2, :j3, :j4, :j5, :j6, :j7]) j;
select note from bg.jobs where id in (:j5, :j6) order by id;
select * from made;

-- The search_path and the settings of a job, and that nothing of it is left for the next one.
set search_path = pg_catalog, public;
select bg.submit('select current_setting(''search_path'') as a, current_setting(''work_mem'') as b, current_setting(''my.own'') as c', null, '{"settings": {"work_mem": "3MB", "my.own": 7}}') as j1,
    bg.submit('set work_mem = ''5MB''; select set_config(''my.own'', ''x'', false)') as j2,
    bg.submit('select current_setting(''work_mem'') as a, nullif(current_setting(''my.own'', true), '''') as b', null, '{"priority": 1}') as j3 \gset
reset search_path;
select bg.wait_job(j, 60), bg.job_result(j) from unnest(array[:j1, :j2, :j3]) j;

-- An error, whole; it is tried again as often as was asked for.
select bg.submit('do $$ begin raise exception ''no %'', ''luck'' using errcode = ''XY123'', detail = ''because'', hint = ''again''; end $$', null,
    '{"attempts": 2, "backoff": 0}') as j \gset
select bg.wait_job(:j, 60);
select bg.job_result(:j);
select state, attempt, jsonb_array_length(errors) as errors, error - 'at' - 'context' as error, error->>'context' like '%PL/pgSQL function inline_code_block%' as has_context
from bg.jobs where id = :j;
-- One that takes too long. -- workload
select bg.submit('select pg_sleep(600)', null, '{"timeout": "0.05 s", "attempts": 1}') as j \gset
select bg.wait_job(:j, 60);
select bg.job_result(:j);

drop table log, made;
drop function add, kinds;
drop procedure put;
drop type pair;
drop domain small;
