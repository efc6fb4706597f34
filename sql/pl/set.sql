-- Functions that return sets.
CREATE SCHEMA pl_set;
SET search_path = pl_set;

CREATE FUNCTION up_to(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield(i) end $$;
SELECT up_to(3);
SELECT * FROM up_to(3);
SELECT * FROM up_to(0);
SELECT up_to(2), up_to(3);
SELECT i, up_to(i) FROM generate_series(1, 3) i;
SELECT * FROM generate_series(1, 3) i, up_to(i) WITH ORDINALITY;
SELECT * FROM ROWS FROM (up_to(2), up_to(3));
SELECT sum(i), count(*) FROM up_to(100000) i;

-- what is returned without a yield is the only row; nothing is no row
CREATE FUNCTION late_value() RETURNS SETOF int LANGUAGE pllua_bg AS $$ coroutine.yield(1) return 2 $$;
CREATE FUNCTION only_row() RETURNS SETOF int LANGUAGE pllua_bg AS $$ return 7 $$;
CREATE FUNCTION null_row() RETURNS SETOF int LANGUAGE pllua_bg AS $$ return nil $$;
CREATE FUNCTION no_row() RETURNS SETOF int LANGUAGE pllua_bg AS $$ return $$;
CREATE FUNCTION null_rows() RETURNS SETOF int LANGUAGE pllua_bg AS $$ coroutine.yield(1) coroutine.yield() coroutine.yield(nil) $$;
SELECT late_value(); SELECT * FROM late_value();
SELECT only_row(); SELECT * FROM only_row();
SELECT null_row(); SELECT * FROM null_row();
SELECT no_row(); SELECT * FROM no_row();
SELECT null_rows(); SELECT * FROM null_rows();

-- rows
CREATE TABLE t (a int, b text);
CREATE FUNCTION table_values(n int) RETURNS TABLE (p int, q text) LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield(i, 'q' .. i) end $$;
CREATE FUNCTION table_names(n int) RETURNS TABLE (p int, q text) LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield { q = 'q' .. i, p = i } end $$;
CREATE FUNCTION table_one(n int) RETURNS TABLE (p int) LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield(i) end $$;
CREATE FUNCTION of_type(n int) RETURNS SETOF t LANGUAGE pllua_bg AS $$ coroutine.yield(n, 'v') coroutine.yield { a = n } coroutine.yield(nil) coroutine.yield() $$;
CREATE FUNCTION of_query() RETURNS SETOF t LANGUAGE pllua_bg AS
  $$ for row in spi.rows("SELECT i AS a, 'r' || i AS b FROM generate_series(1, 3) i") do coroutine.yield(row) end $$;
CREATE FUNCTION of_record(n int) RETURNS SETOF record LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield(i, 's') end $$;
SELECT * FROM table_values(2);
SELECT table_values(2);
SELECT (table_names(2)).*;
SELECT * FROM table_one(2);
SELECT * FROM of_type(1);
SELECT of_type(1);
SELECT * FROM of_query();
SELECT of_query();
SELECT * FROM of_record(2) AS (x int, y text);
SELECT of_record(2);
SELECT table_values(1) FROM (SELECT table_one(2)) x;
CREATE FUNCTION wrong_count() RETURNS TABLE (p int, q text) LANGUAGE pllua_bg AS $$
  coroutine.yield(1, 'x')
  coroutine.yield(1, 'x', 3)
$$;
SELECT * FROM wrong_count();
SELECT wrong_count();

-- a row that cannot be converted is an error of the line that yields it, and may be caught there
CREATE FUNCTION careful() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  coroutine.yield(1)
  print(pcall(coroutine.yield, 'x'))
  coroutine.yield(2)
$$;
SELECT * FROM careful();
SELECT careful();

-- coroutines of the function's own, and yields inside of pcall
CREATE FUNCTION own_coroutine(n int) RETURNS SETOF text LANGUAGE pllua_bg AS $$
  local produce = coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
  for i in produce do coroutine.yield('got ' .. i) end
$$;
SELECT own_coroutine(2);
SELECT * FROM own_coroutine(2);
CREATE FUNCTION in_pcall() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  print(pcall(function() coroutine.yield(1) coroutine.yield(2) error('after', 0) end))
  coroutine.yield(3)
$$;
SELECT in_pcall();
SELECT * FROM in_pcall();
CREATE FUNCTION in_used_pcall() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  assert(pcall(function() spi.execute('SELECT 1') coroutine.yield(1) end))
$$;
SELECT in_used_pcall();
SELECT * FROM in_used_pcall();
CREATE FUNCTION not_a_set() RETURNS int LANGUAGE pllua_bg AS $$ return coroutine.yield(1) $$;
SELECT not_a_set();

-- a caller that stops early: what has to be closed is closed, without the database
CREATE FUNCTION endless() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, { __close = function() _G.closed = (_G.closed or 0) + 1 end })
  local i = 0
  while true do i = i + 1 coroutine.yield(i) end
$$;
CREATE FUNCTION closed() RETURNS int LANGUAGE pllua_bg AS $$ return _G.closed $$;
SELECT endless() LIMIT 3;
SELECT closed();
SELECT x, (SELECT endless() LIMIT 1) FROM generate_series(1, 2) x;
SELECT closed();
BEGIN;
DECLARE c CURSOR FOR SELECT endless();
FETCH 2 FROM c;
SELECT closed();
CLOSE c;
SELECT closed();
-- and one that fails, or is rolled back
SELECT 1 / (3 - i) FROM (SELECT endless() AS i) x;
ROLLBACK;
SELECT closed();
BEGIN;
DECLARE c CURSOR FOR SELECT endless();
FETCH 2 FROM c;
ROLLBACK;
SELECT closed();
-- cursors are closed, whoever opened them
CREATE FUNCTION loops() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local named <close> = spi.prepare('SELECT 1'):getcursor()
  _G.named = named
  for r in spi.rows('SELECT i FROM generate_series(1, 1000) i') do coroutine.yield(r.i) end
$$;
BEGIN;
SELECT loops() LIMIT 1;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'PortalContext';
DO LANGUAGE pllua_bg $$ print(_G.named:isopen()) $$;
COMMIT;
-- one that is about to go is left alone
CREATE FUNCTION closes_its_own() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, { __close = function()
    print('handler')
    local c = _G.own or spi.findcursor('c')
    c:close()
    print('closed', c:isopen())
  end })
  for i = 1, 100 do coroutine.yield(i) end
$$;
BEGIN;
DECLARE c CURSOR FOR SELECT closes_its_own();
FETCH 1 FROM c;
CLOSE c;
DECLARE c CURSOR FOR SELECT closes_its_own();
FETCH 1 FROM c;
COMMIT;
DO LANGUAGE pllua_bg $$
  local next_row, _, _, c = spi.rows('SELECT closes_its_own()')
  _G.own = c
  next_row()
  c:close()
  print('after', c:isopen())
  _G.own = nil
$$;
-- what a handler raises is an error of the query, as is its use of the database
CREATE FUNCTION fails_at_end() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, { __close = function() error 'in __close' end })
  for i = 1, 3 do coroutine.yield(i) end
$$;
SELECT fails_at_end() LIMIT 1;
SELECT fails_at_end();
CREATE FUNCTION writes_at_end() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, { __close = function() spi.execute('SELECT 1') end })
  for i = 1, 3 do coroutine.yield(i) end
$$;
SELECT writes_at_end() LIMIT 1;
SELECT count(*) FROM writes_at_end();
-- and it can be cancelled
CREATE FUNCTION never_closed() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local first <close> = setmetatable({}, { __close = function() while true do end end })
  local second <close> = setmetatable({}, { __close = function() while true do end end })
  for i = 1, 3 do coroutine.yield(i) end
$$;
SET statement_timeout = '100ms';
SELECT never_closed() LIMIT 1;
RESET statement_timeout;

-- an error after some rows
CREATE FUNCTION fails_late() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  coroutine.yield(1)
  error 'late'
$$;
SELECT fails_late();
SELECT * FROM fails_late();

-- SPI between rows; nested sets; recursion
CREATE FUNCTION with_spi(n int) RETURNS SETOF bigint LANGUAGE pllua_bg AS $$
  for i = 1, n do
    for row in spi.rows('SELECT sum(x) AS s FROM up_to($1) x', i) do coroutine.yield(row.s) end
  end
$$;
SELECT with_spi(3);
SELECT * FROM with_spi(3);
CREATE FUNCTION tree(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$
  coroutine.yield(n)
  if n > 1 then for row in spi.rows('SELECT tree($1) AS t', n - 1) do coroutine.yield(row.t) end end
$$;
SELECT tree(4);

-- a function replaced while a set of it is being read: the old version goes on
BEGIN;
DECLARE c CURSOR FOR SELECT up_to(3);
FETCH 1 FROM c;
CREATE OR REPLACE FUNCTION up_to(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$ coroutine.yield(-1) $$;
FETCH ALL FROM c;
COMMIT;
SELECT up_to(3);

CREATE FUNCTION of_void() RETURNS SETOF void LANGUAGE pllua_bg AS $$ coroutine.yield() $$;
SELECT count(*) FROM (SELECT of_void()) x;
CREATE DOMAIN checked AS t CHECK ((VALUE).a > 0);
CREATE FUNCTION of_domain() RETURNS SETOF checked LANGUAGE pllua_bg AS $$ coroutine.yield(1, 'x') coroutine.yield(0, 'y') $$;
SELECT * FROM of_domain();
SELECT of_domain() LIMIT 1;


-- What a function fails to close ends the cursor that is being closed, wherever the error is caught: nothing of it can be read any more.
CREATE FUNCTION closes() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	local x <close> = setmetatable({}, {__close = function() return spi.execute('select 1') end})
	for i = 1, 5 do coroutine.yield(i) end
$$;
DO LANGUAGE pllua_bg $$
	local c = spi.prepare('select closes() limit 1'):getcursor()
	print(c:fetch(1)[1].closes, pcall(c.close, c))
	print(select(2, pcall(c.fetch, c, 1)).sqlstate)
$$;
DO LANGUAGE pllua_bg $$
	local c = spi.prepare('select closes() limit 1'):getcursor()
	print(c:fetch(1)[1].closes, pcall(function() local d <close> = c end))
$$;
DO LANGUAGE plpgsql $$
DECLARE c CURSOR FOR SELECT closes() LIMIT 1; x int;
BEGIN
	OPEN c;
	FETCH c INTO x;
	BEGIN CLOSE c; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% %', sqlstate, x; END;
	BEGIN FETCH c INTO x; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% % %', sqlstate, regexp_replace(sqlerrm, '".*"', '...'), x; END;
	CLOSE c;
	OPEN c;
	CLOSE c;
END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT closes() LIMIT 1;
FETCH c;
SAVEPOINT a;
CLOSE c;
ROLLBACK TO a;
FETCH c;
ROLLBACK TO a;
CLOSE c;
COMMIT;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT closes() LIMIT 2;
FETCH c;
COMMIT;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_set CASCADE;
