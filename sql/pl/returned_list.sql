-- Set functions that return their rows as a list.
CREATE SCHEMA pl_list;
SET search_path = pl_list;
CREATE TYPE pair AS (a int, b text);
CREATE TYPE documents AS (j jsonb, n int);
CREATE TYPE days AS (d date, n int);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN ints AS int[];
CREATE DOMAIN named_pair AS pair CHECK ((value).b IS NOT NULL);
CREATE TYPE mood AS ENUM ('sad', 'fine');
-- each body as a function of each type: in FROM and in a select list
CREATE FUNCTION try(result text, body text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text; b text;
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION f_() RETURNS %s LANGUAGE pllua_bg AS $x$ %s $x$', result, body);
  BEGIN EXECUTE $q$ SELECT coalesce(string_agg(coalesce(f::text, 'NULL'), ' | '), '-') FROM f_() f $q$ INTO a;
  EXCEPTION WHEN others THEN a := sqlstate || ' ' || sqlerrm; END;
  BEGIN EXECUTE $q$ SELECT coalesce(string_agg(coalesce(f::text, 'NULL'), ' | '), '-') FROM (SELECT f_() AS f) s $q$ INTO b;
  EXCEPTION WHEN others THEN b := sqlstate || ' ' || sqlerrm; END;
  EXECUTE 'DROP FUNCTION f_()';
  RETURN CASE WHEN a = b THEN a ELSE a || ' / ' || b END;
END $$;
\pset tuples_only
\pset format unaligned
SELECT t, b, try(t, b) FROM
  unnest(array['SETOF int', 'SETOF text', 'SETOF numeric', 'SETOF date', 'SETOF bool', 'SETOF positive', 'SETOF mood']) WITH ORDINALITY t(t, i),
  unnest(array['return {1, 2}', 'return {}', 'return {"2020-01-02"}', 'return {nil, "fine", nil, n = 3}', 'return table.pack()',
    'return {{1}}', 'return {a = 1}', 'return {[0] = 1}', 'return {year = 2020, month = 1, day = 2}', 'return 1', 'return nil', 'return', 'return setmetatable({1, 2}, {})']) WITH ORDINALITY b(b, j)
ORDER BY i, j;
SELECT t, b, try(t, b) FROM
  unnest(array['SETOF int[]', 'SETOF ints', 'SETOF jsonb', 'SETOF int4range', 'SETOF pair', 'SETOF named_pair', 'TABLE (a int, b text)', 'TABLE (a int)', 'SETOF documents', 'SETOF days', 'SETOF record']) WITH ORDINALITY t(t, i),
  unnest(array['return {1, 2}', 'return {}', 'return {{1, "x"}, {2, "y"}}', 'return {{a = 1, b = "x"}, {b = "y"}}', 'return {a = 1}', 'return {1, "x"}', 'return {{}, "x"}',
    'return spi.execute("select 1 as a, ''r'' as b union all select 2, ''s'' order by 1")', 'return spi.execute("select 1, ''r'' limit 0")', 'return {spi.execute("select 5 as a, ''r'' as b")[1]}']) WITH ORDINALITY b(b, j)
ORDER BY i, j;
\pset tuples_only
\pset format aligned

-- after a yield what is returned does not count
CREATE FUNCTION both_ways() RETURNS SETOF int LANGUAGE pllua_bg AS $$ coroutine.yield(1) return {2, 3} $$;
SELECT * FROM both_ways();
-- a list is read while its rows are wanted, and left early
CREATE FUNCTION lazy() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  return table.move({1, 2, 3, 'no number'}, 1, 4, 1, {})
$$;
SELECT lazy() LIMIT 2;
SELECT lazy();
SELECT * FROM lazy();
-- long lists, which can be cancelled
CREATE FUNCTION long(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$ local t = {} for i = 1, n do t[i] = i end return t $$;
SELECT count(*), sum(long) FROM long(100000);
SELECT count(*), sum(n) FROM (SELECT long(100000) AS n) s;
CREATE FUNCTION endless() RETURNS SETOF int LANGUAGE pllua_bg AS $$ return {n = math.maxinteger} $$;
SET statement_timeout = '100ms';
\set SHOW_CONTEXT never
SELECT count(*) FROM (SELECT endless()) s;
\set SHOW_CONTEXT errors
SET work_mem = '64kB';
SELECT count(*) FROM endless();
RESET statement_timeout;
RESET work_mem;
-- a plain function does not return one
CREATE FUNCTION plain() RETURNS int LANGUAGE pllua_bg AS $$ return {1} $$;
SELECT plain();
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_list CASCADE;
