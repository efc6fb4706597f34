-- Plain functions: arguments, results, and code that runs once.
CREATE SCHEMA pl_functions;
SET search_path = pl_functions;

CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE pllua_bg AS $$ return a + b $$;
SELECT add(1, 2), add(a => 3, b => -4);
SELECT add(1, NULL);
CREATE FUNCTION add_strict(a int, b int) RETURNS int STRICT LANGUAGE pllua_bg AS $$ return a + b $$;
SELECT add_strict(1, NULL) IS NULL AS is_null;

-- arguments without names come in `...`, after those with names
CREATE FUNCTION unnamed(int, text) RETURNS text LANGUAGE pllua_bg AS $$ return select('#', ...) .. ':' .. table.concat({...}, ',') $$;
SELECT unnamed(1, 'z');
CREATE FUNCTION mixed(a int, text, c bool) RETURNS text LANGUAGE pllua_bg AS
  $$ return tostring(a) .. ',' .. tostring(c) .. ',' .. (...) $$;
SELECT mixed(1, 'z', true);
CREATE FUNCTION with_default(a int, b text DEFAULT 'dflt') RETURNS text LANGUAGE pllua_bg AS $$ return a .. b $$;
SELECT with_default(1), with_default(1, 'x');

-- results
CREATE FUNCTION nothing() RETURNS int LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION nil_value() RETURNS int LANGUAGE pllua_bg AS $$ return nil $$;
CREATE FUNCTION too_many() RETURNS int LANGUAGE pllua_bg AS $$ return 1, 2 $$;
CREATE FUNCTION to_void() RETURNS void LANGUAGE pllua_bg AS $$ return 1, 2, {} $$;
CREATE FUNCTION array_of_values() RETURNS int[] LANGUAGE pllua_bg AS $$ return 1, nil, 3 $$;
SELECT nothing() IS NULL AS nothing, nil_value() IS NULL AS nil, to_void(), array_of_values();
SELECT too_many();

-- the function's own name is local to it; `self` is its environment; other globals of its own stay its own
CREATE FUNCTION fact(n int) RETURNS int LANGUAGE pllua_bg AS $$ if n == 0 then return 1 end return n * fact(n - 1) $$;
SELECT fact(5);
CREATE FUNCTION counter() RETURNS int LANGUAGE pllua_bg AS $$ count = (count or 0) + 1 return self.count $$;
SELECT counter(), counter(), counter();
DO LANGUAGE pllua_bg $$ print(count, _G.count) _G.pl_shared = 7 $$;
CREATE FUNCTION reads_shared() RETURNS int LANGUAGE pllua_bg AS $$ return pl_shared $$;
SELECT reads_shared();

-- a text may end the function itself and go on with code that runs when it is compiled
CREATE FUNCTION prepared(i int) RETURNS int LANGUAGE pllua_bg AS $$
  calls = calls + 1
  return offset + i + calls
end
calls, offset = 0, spi.execute('SELECT 100 AS n')[1].n
do $$;
SELECT prepared(1), prepared(1);
CREATE FUNCTION replaced() RETURNS text LANGUAGE pllua_bg AS $$ return 'first'
end
local second = 'second'
function replaced() return second end
do $$;
SELECT replaced();
CREATE FUNCTION fails_once() RETURNS int LANGUAGE pllua_bg AS $$ return 1
end
error 'not yet'
do $$;
SELECT fails_once();
CREATE FUNCTION returns_early() RETURNS int LANGUAGE pllua_bg AS $$ return 1
end
if true then return 5 end
do $$;
SELECT returns_early();

-- types of all kinds, there and back
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN known AS int NOT NULL;
CREATE FUNCTION same_pair(x pair) RETURNS pair LANGUAGE pllua_bg AS $$ return x $$;
CREATE FUNCTION same_array(x pair[]) RETURNS pair[] LANGUAGE pllua_bg AS $$ return x $$;
CREATE FUNCTION as_positive(x int) RETURNS positive LANGUAGE pllua_bg AS $$ return x $$;
CREATE FUNCTION as_known(x int) RETURNS known LANGUAGE pllua_bg AS $$ return x $$;
CREATE FUNCTION from_record(x record) RETURNS text LANGUAGE pllua_bg AS $$ return tostring(x) $$;
CREATE FUNCTION from_cstring(x cstring) RETURNS cstring LANGUAGE pllua_bg AS $$ return x:upper() $$;
SELECT same_pair(ROW(1, 'x')), same_pair(NULL) IS NULL AS null_pair, same_array(ARRAY[ROW(1, 'x')::pair, NULL]);
SELECT as_positive(1), from_record(ROW(1, 'z', NULL)), from_cstring('abc');
SELECT as_positive(0);
SELECT as_known(NULL);
CREATE FUNCTION as_int(x text) RETURNS int LANGUAGE pllua_bg AS $$ return x $$;
SELECT as_int('12'), as_int('1x');

-- a row with a short header, as a scan of a table gives it, and one that is stored compressed
CREATE TABLE stored (a int, b text);
INSERT INTO stored VALUES (1, 'short'), (2, repeat('long', 10000));
CREATE FUNCTION length_of(r stored) RETURNS int LANGUAGE pllua_bg AS $$ return r.a + #r.b $$;
SELECT sum(length_of(s)) FROM stored s;
CREATE TABLE nested (p pair, r stored);
INSERT INTO nested SELECT ROW(1, 'in')::pair, s FROM stored s;
CREATE FUNCTION inside(n nested) RETURNS int LANGUAGE pllua_bg AS $$ return n.p.a + #n.p.b + #n.r.b $$;
SELECT sum(inside(n)) FROM nested n;

-- in aggregates, in indexes, in a parallel query
CREATE FUNCTION joined(state text, x text) RETURNS text LANGUAGE pllua_bg AS $$ return state and state .. x or x $$;
CREATE AGGREGATE join_all(text) (SFUNC = joined, STYPE = text);
SELECT join_all(x) FROM (VALUES ('a'), ('b'), ('c')) v(x);
CREATE FUNCTION negated(x int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE pllua_bg AS $$ return -x $$;
CREATE TABLE many AS SELECT g AS i FROM generate_series(1, 1000) g;
CREATE INDEX ON many (negated(i));
ANALYZE many;
SET enable_seqscan = off;
SELECT i FROM many WHERE negated(i) = -77;
RESET enable_seqscan;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT sum(negated(i)) FROM many;
RESET ALL;

-- STABLE and IMMUTABLE functions only read
SET search_path = pl_functions;
CREATE FUNCTION reads(x int) RETURNS int STABLE LANGUAGE pllua_bg AS $$ return spi.execute('SELECT count(*) AS n FROM many')[1].n $$;
CREATE FUNCTION writes(x int) RETURNS int STABLE LANGUAGE pllua_bg AS $$ spi.execute('INSERT INTO many VALUES (0)') $$;
SELECT reads(1);
SELECT writes(1);

-- what a call returns outlives its connection to SPI, wherever that was made (seen on servers that overwrite freed memory)
create function connects_in_pcall() returns text language pllua_bg as $$
    pcall(spi.execute, 'select 1')
    return 'a result of its own'
$$;
select connects_in_pcall();
create function fails_in_pcall() returns numeric[] language pllua_bg as $$
    pcall(spi.execute, 'select 1/0')
    return {1.5, 2.5}
$$;
select fails_in_pcall();
drop function connects_in_pcall, fails_in_pcall;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_functions CASCADE;
