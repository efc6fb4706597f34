-- bg.result takes over rows while they come; what it has not returned is still there for the next call.
SELECT bg.launch(queue_size => 16384) AS pid \gset
CREATE FUNCTION total(pid int, wait float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    SELECT count(*) || ' rows, sum ' || sum(i) || ', longest ' || max(length(t)) INTO answer FROM bg.result(pid, wait) AS (i int, t text);
    RETURN answer;
EXCEPTION WHEN OTHERS OR query_canceled THEN RETURN sqlstate || ' ' || sqlerrm;
END $$;
-- a wait that ends in the middle, by its own timeout or that of the statement
SELECT pg_advisory_lock(101);
SELECT bg.run(:pid, $$SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i UNION ALL SELECT 0, pg_advisory_lock(101)::text || ''$$) AS number;
SELECT total(:pid, 0.05);
SET statement_timeout = '50ms';
SELECT count(*) FROM bg.result(:pid) AS (i int, t text);
RESET statement_timeout;
SELECT pg_advisory_unlock(101);
SELECT total(:pid, NULL);
SELECT total(:pid, NULL);
-- larger than work_mem on both sides
SET work_mem = '64kB';
SELECT bg.run(:pid, $$SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i$$) AS number;
SELECT total(:pid, NULL);
RESET work_mem;
-- an error after many rows, and the last of several statements
SELECT bg.run(:pid, 'SELECT 1 / (9000 - i), repeat(''x'', 100) FROM generate_series(1, 10000) i') AS number;
SELECT total(:pid, NULL);
SELECT bg.run(:pid, $$SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i; SELECT 7, 'last'$$) AS number;
SELECT total(:pid, NULL);
SELECT bg.run(:pid, $$SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i; SET work_mem = '1MB'$$) AS number;
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, $$SELECT 7, 'first'; SELECT i FROM generate_series(1, 5000) i$$) AS number;
SELECT count(*) FROM bg.result(:pid) AS (i int);
-- the session ends in the middle
SELECT bg.run(:pid, $$SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i UNION ALL SELECT 0, pg_terminate_backend(pg_backend_pid())::text || pg_sleep(60)$$) AS number; -- workload
SELECT left(total(:pid, NULL), 5);
SELECT bg.close(:pid);
DROP FUNCTION total(int, float8);

-- a wrong column definition list does not lose the result
select bg.launch() as pid \gset
select bg.run(:pid, 'select 1 as x');
\set VERBOSITY terse
select * from bg.result(:pid) as (a text);
select * from bg.result(:pid) as (a int);
create table changed ();
select bg.run(:pid, 'vacuum changed');
select * from bg.result(:pid) as (a int);
select * from bg.result(:pid) as (a text);
select bg.close(:pid);
drop table changed;

-- columns of types that no column definition list can have are read as text
create function sr_void() returns void language plpgsql as 'begin end';
create function sr_null() returns void language sql as '';
select bg.launch() as pid \gset
select bg.run(:pid, $$select sr_null(), sr_void() as v, 1 as n, 'abc'::cstring, null::cstring, row(1, 2), array[row(1)]$$) \gset sr_
select v is null as no_void, v || '.' as v, n, c, nothing, r, a from bg.result(:pid) as (w varchar, v text, n int, c text, nothing text, r text, a varchar);
select bg.run(:pid, 'select sr_void() from generate_series(1, 2)') \gset sr_
select * from bg.result(:pid) as (v int);
select * from bg.result(:pid) as (v json);
select count(*), count(v) from bg.result(:pid) as (v text);
select bg.run(:pid, $$select most_common_vals from pg_stats where false$$) \gset sr_
select * from bg.result(:pid) as (v text);
select bg.detach(:pid) \gset sr_
do language pllua_bg $$
  local s <close> = bg.launch()
  for _, run in ipairs {spi.execute, function(sql) return s:exec(sql) end} do
    print(run('select sr_void()').value, run('select sr_null()').value)
  end
$$;
drop function sr_void, sr_null;
