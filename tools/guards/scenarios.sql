-- Each allocation of these statements fails, one after the other; then the same is done with memory enough. tools/check-guards
-- runs this; :depth says how many allocations of each.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE EXTENSION pllua_bg;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN small AS pair CHECK ((VALUE).a < 100);
CREATE TABLE t (x int, p pair, j jsonb);
INSERT INTO t SELECT i, row(i, repeat('x', i * 100))::pair, jsonb_build_object('n', i) FROM generate_series(1, 5) i;
CREATE FUNCTION plain(n int) RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('select $1::int as x', n)[1].x $$;
CREATE FUNCTION writes() RETURNS int LANGUAGE pllua_bg AS $$ spi.execute('update t set x = x') return 1 $$;
CREATE FUNCTION in_sql() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM plain(1); RETURN writes(); END $$;
CREATE FUNCTION nested() RETURNS int LANGUAGE pllua_bg AS $$ spi.execute('select 1') return spi.execute('select in_sql() as x')[1].x $$;
CREATE FUNCTION catches() RETURNS int LANGUAGE pllua_bg AS $$
	local ok = pcall(function() pcall(function() return spi.execute('select in_sql()') end) spi.execute('select 1/0') end)
	local good, n = pcall(function() return spi.execute('select in_sql() as x')[1].x end)
	return n
$$;
CREATE FUNCTION sql_catches() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM nested();
		PERFORM 1/0;
	EXCEPTION WHEN OTHERS THEN
		RETURN plain(1);
	END;
END $$;
CREATE FUNCTION rows_of() RETURNS SETOF pair LANGUAGE pllua_bg AS $$
	for r in spi.rows('select p from t order by x') do coroutine.yield(r.p) end
$$;
CREATE FUNCTION small_rows() RETURNS SETOF small LANGUAGE pllua_bg AS $$ for i = 1, 3 do coroutine.yield{a = i, b = 'x'} end $$;
CREATE FUNCTION values_of() RETURNS text LANGUAGE pllua_bg AS $$
	local r = spi.execute('select array_agg(p order by x) a, jsonb_agg(j order by x) j, sum(x::numeric) s, array[1,2] i from t')[1]
	local n = r.s + 1
	return #r.a .. tostring(r.a[2].a) .. tostring(n) .. tostring(r.j):sub(1, 9) .. #r.i
$$;
CREATE FUNCTION threads() RETURNS int LANGUAGE pllua_bg AS $$
	local function deep(n) if n == 0 then coroutine.yield(1) return 1 end return select(2, pcall(deep, n - 1)) end
	local sum = 0
	for i = 1, 3 do
		local co = coroutine.wrap(function() return deep(20 * i) end)
		co()
		sum = sum + co()
	end
	return sum
$$;
CREATE FUNCTION sessions() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	local st = s:prepare('select $1::int + 1 as x')
	local a = st:exec(1)[1].x
	local ok, e = pcall(s.exec, s, 'select 1/0')
	return a .. ' ' .. tostring(e.sqlstate)
$$;
CREATE FUNCTION on_row() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row.x = trigger.row.x + 1 return trigger.row $$;
CREATE TABLE triggered (x int, p pair);
CREATE TRIGGER tr BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION on_row();
CREATE FUNCTION triggers() RETURNS int LANGUAGE sql AS $$ INSERT INTO triggered VALUES (1, (1, 'y')) RETURNING x $$;

CREATE TABLE scenario (what text, statement text, answer text);
INSERT INTO scenario (what, statement) VALUES
	('plain', 'SELECT plain(7)'), ('nested', 'SELECT nested()'), ('catches', 'SELECT catches()'), ('sql_catches', 'SELECT sql_catches()'),
	('rows_of', 'SELECT string_agg(a::text, '','') FROM rows_of()'), ('rows_of, one by one', 'SELECT string_agg((r).a::text, '','') FROM (SELECT rows_of() r) x'),
	('small_rows', 'SELECT count(*) FROM small_rows()'), ('values_of', 'SELECT values_of()'), ('threads', 'SELECT threads()'),
	('sessions', 'SELECT sessions()'), ('triggers', 'SELECT triggers()');
-- the right answers, in a backend where nothing fails
SELECT format('UPDATE scenario SET answer = (%s)::text WHERE what = %L', statement, what) FROM scenario
\gexec

SELECT format('SET application_name = ''guards %s %s''', n, 1 + n % 3), statement, 'RESET application_name',
	format('DO $d$ BEGIN IF (%s)::text IS DISTINCT FROM %L THEN RAISE EXCEPTION ''%%'', %L; END IF; END $d$', statement, answer, what || ': wrong afterwards')
FROM scenario, generate_series(0, :depth) n ORDER BY what, n
\gexec
