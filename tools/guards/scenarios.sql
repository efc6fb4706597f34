-- Each allocation of these statements fails, one after the other; then the same is done with memory enough. First in one backend, then each
-- time in a new one, which loads the library and makes an interpreter. tools/check-guards runs this; :depth says how many allocations of each.
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

CREATE FUNCTION cursors() RETURNS int LANGUAGE pllua_bg AS $$
	local c <close> = spi.prepare('select x from t where x > $1 order by x', {'int'}):getcursor(1)
	c:move(1)
	local n = c:fetch(1)[1].x
	for r in c:rows() do n = n + r.x end
	return n
$$;
CREATE FUNCTION closing() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	local c <close> = setmetatable({}, {__close = function() pcall(function() return pgtype.numeric('x') end) pcall(spi.execute, 'select 1') end})
	for i = 1, 10 do coroutine.yield(i) end
$$;
CREATE FUNCTION aborted() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 / (3 - closing());
	RETURN 0;
EXCEPTION WHEN division_by_zero THEN
	RETURN (SELECT count(*) FROM (SELECT closing() LIMIT 4) x);
END $$;
CREATE FUNCTION errors() RETURNS text LANGUAGE pllua_bg AS $$
	local _, a = xpcall(function() local t = nil; return t.x end, function(e) return 'handled ' .. type(e) end)
	local _, b = pcall(error, {code = 'LB001'})
	local _, c = pcall(spi.error, 'LB002', 'text', 'detail', 'hint')
	return a .. ' ' .. tostring(b.code) .. ' ' .. c.sqlstate .. ' ' .. c.message
$$;
CREATE FUNCTION compiles() RETURNS int LANGUAGE pllua_bg AS $$
	spi.execute('create or replace function compiled() returns int language pllua_bg as ' .. spi.quote_literal('return 40 + 2'))
	return spi.execute('select compiled() as x')[1].x
$$;
CREATE FUNCTION futures() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	local other <close> = bg.launch()
	local a, b = s:run('select 1 as x'), other:run('select 1/0')
	local _, e = pcall(b.get, b)
	local n = a:get().value
	for r in s:rows('select generate_series(1, 200) as x') do n = n + r.x end
	return n .. ' ' .. e.sqlstate
$$;
CREATE FUNCTION mapped() RETURNS int LANGUAGE pllua_bg AS $$
	local sum = 0
	for _, x in ipairs(bg.map({1, 2, 3}, 'select $1::int * 2 as x')) do sum = sum + x.value end
	return sum
$$;
CREATE FUNCTION notes() RETURNS int LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	s:exec('listen x')
	s:exec('do $d$ begin raise notice $n$seen$n$; end $d$')
	s:exec('notify x, $n$told$n$')
	return #s:notification(5).payload
$$;
CREATE FUNCTION traced() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	local t, x = bg.trace(function()
		return bg.scope(function(sc)
			local task = sc:go(function() return s:exec('select 1 as x')[1].x end)
			s:run('select 1/0'):try()
			return task:get()
		end)
	end)
	t:gantt()
	t:json()
	return x .. ' ' .. t.n .. ' ' .. t.dropped
$$;
CREATE FUNCTION task_rows() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	bg.scope(function(sc)
		for k = 1, 2 do sc:go(function() for i = 1, 3 do coroutine.yield(i) bg.sleep(0) end end) end
	end)
$$;

CREATE TABLE scenario (what text, statement text, answer text);
INSERT INTO scenario (what, statement) VALUES
	('rows_of', 'SELECT string_agg(a::text, '','') FROM rows_of()'), ('rows_of, one by one', 'SELECT string_agg((r).a::text, '','') FROM (SELECT rows_of() r) x'),
	('plain', 'SELECT plain(7)'), ('small_rows', 'SELECT count(*) FROM small_rows()'),
	('task_rows', 'SELECT sum(r) FROM task_rows() r'), ('task_rows, not all', 'SELECT count(*) FROM (SELECT task_rows() r LIMIT 2) x');
INSERT INTO scenario (what, statement) SELECT name, format('SELECT %I()', name)
	FROM unnest('{nested,catches,sql_catches,values_of,threads,sessions,triggers,cursors,aborted,errors,compiles,futures,mapped,notes,traced}'::text[]) name;
-- the right answers, in a backend where nothing fails
SELECT format('UPDATE scenario SET answer = (%s)::text WHERE what = %L', statement, what) FROM scenario
\gexec
SELECT what, answer FROM scenario ORDER BY what;

CREATE FUNCTION failing(n int) RETURNS text LANGUAGE sql AS $$ SELECT format('SET application_name = ''guards %s %s''', n, 1 + n % 3) $$;
CREATE FUNCTION again(scenario) RETURNS text LANGUAGE sql AS $$
	SELECT format('DO $d$ DECLARE result text; BEGIN result := (%s); ASSERT result = %L, result; EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN RAISE ''%% wrong afterwards: %%'', %L, SQLERRM; END $d$',
		$1.statement, $1.answer, $1.what)
$$;
SELECT failing(n), statement, 'RESET application_name', again(s) FROM scenario s, generate_series(0, :depth) n ORDER BY what, n
\gexec

-- A new backend allocates more: small steps first.
\set file `echo "$CLUSTER_DIR/new_backends.sql"`
\t on
\pset format unaligned
\o :file
SELECT concat_ws(E';\n', E'\\connect\nSET client_min_messages = error', failing(n * (8 + n) / 8), statement, 'RESET application_name', again(s)) || ';'
FROM scenario s, generate_series(0, :depth) n WHERE what IN ('plain', 'sql_catches', 'futures') ORDER BY what, n;
\o
\i :file
