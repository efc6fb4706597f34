-- bench/languages/setup.sql: what the functions of all languages read, in schema bench, and the workloads (workloads.sql).
set client_min_messages = warning;
create extension if not exists dblink;
create schema bench;
set search_path = bench, public;
create table kv (k int primary key, v int);
insert into kv select i, i * 3 from generate_series(1, 10000) i;
create table texts as select i, lpad(i::text, 50, 'x') as t from generate_series(1, 100000) i;
create table rec (a int, b int, c text, d float8);      -- its row type is the composite type of the workloads
insert into rec select i, i + 1, 'x' || i, i * 0.5::float8 from generate_series(1, 50000) i;
create table nums as select (i * 1.25)::numeric as a, (i * 0.75 + 3)::numeric as b from generate_series(1, 30000) i;
create table pairs as select 'alpha' || i as a, 'beta' || i as b from generate_series(1, 50000) i;
create table docs as select jsonb_build_object('a', i, 'b', jsonb_build_object('c', i * 2, 'd', 'text ' || i),
    'tags', jsonb_build_array('x', 'y', i), 'name', 'name' || i) as j from generate_series(1, 20000) i;
-- 1 MB: 20,000 elements, and one key beside them
create table large_doc as
    select jsonb_build_object('items', jsonb_agg(jsonb_build_object('id', i, 'name', 'element ' || i)), 'version', 7) as j from generate_series(1, 20000) i;
create table arrays as select array_agg(i) as ints, array_agg('text ' || i) as texts, array_agg(i * 1.5) as numerics,
    (select array_agg(line) from (select array_agg(x + y * 30) as line from generate_series(1, 30) x, generate_series(1, 30) y group by y) l) as matrix
    from generate_series(1, 1000) i;
create unlogged table scratch (i int, t text);
do $$
begin
    execute 'create table wide (id int, v int, ' || (select string_agg(format('c%s text, d%s int', i, i), ', ') from generate_series(1, 14) i) || ')';
    execute 'insert into wide select i, i, ' || (select string_agg(format('''text '' || i, i + %s', i), ', ') from generate_series(1, 14) i) ||
        ' from generate_series(1, 10000) i';
end $$;
create role bench_reader;
grant usage on schema bench to public;
grant select on all tables in schema bench to public;
grant insert on scratch to public;
vacuum analyze;

-- {n}: the number of items; fresh: each time in a backend that has just begun; target: at most so much of the peer's time.
create table workloads (id int generated always as identity, name text primary key, what text, needs text, n int, target float8,
    peer text not null default 'plpgsql', fresh bool not null default false, prepare text, query text);
\ir workloads.sql
