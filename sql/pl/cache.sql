-- Compiled functions: kept while they are the same, replaced when they are not, alive while they run.
CREATE SCHEMA pl_cache;
SET search_path = pl_cache;

CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$ n = (n or 0) + 1 return 'one ' .. n $$;
SELECT f(), f();
SELECT f();
CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$ n = (n or 0) + 1 return 'two ' .. n $$;
SELECT f();
-- what does not change the function's row leaves it alone
CREATE FUNCTION g() RETURNS int LANGUAGE pllua_bg AS $$ return 1 $$;
SELECT f();
-- what does starts it anew
ALTER FUNCTION f() COST 200;
SELECT f();
BEGIN;
CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$ return 'three' $$;
SELECT f();
ROLLBACK;
SELECT f() LIKE 'two %' AS second_again;
DROP FUNCTION f();
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$ return 'four' $$;
SELECT f();

-- a running function keeps its version
CREATE FUNCTION replaces_itself(depth int) RETURNS text LANGUAGE pllua_bg AS $$
  local before = 'old'
  spi.execute [[CREATE OR REPLACE FUNCTION replaces_itself(depth int) RETURNS text LANGUAGE pllua_bg AS 'return "new"']]
  local inner = spi.execute('SELECT replaces_itself(1) AS r')[1].r
  collectgarbage()
  return before .. ' ' .. inner
$$;
SELECT replaces_itself(0);
SELECT replaces_itself(0);
CREATE FUNCTION drops_itself() RETURNS text LANGUAGE pllua_bg AS $$
  spi.execute('DROP FUNCTION drops_itself()')
  local ok, err = pcall(spi.execute, 'SELECT drops_itself()')
  collectgarbage()
  return tostring(ok) .. ' ' .. err.sqlstate
$$;
SELECT drops_itself();

-- code that runs when a function is compiled may call it, or replace it
CREATE FUNCTION calls_itself() RETURNS int LANGUAGE pllua_bg AS $$ return 1
end
if not pl_cache_inside then
  _G.pl_cache_inside = true
  print('inner', spi.execute('SELECT calls_itself() AS r')[1].r)
  _G.pl_cache_inside = nil
end
do $$;
SELECT calls_itself();
CREATE FUNCTION replaced_by_itself() RETURNS int LANGUAGE pllua_bg AS $$ return 1
end
spi.execute [[CREATE OR REPLACE FUNCTION replaced_by_itself() RETURNS int LANGUAGE pllua_bg AS 'return 2']]
do $$;
SELECT replaced_by_itself();
SELECT replaced_by_itself();

-- in one query, function by function
CREATE FUNCTION replaces_h(i int) RETURNS int LANGUAGE pllua_bg AS $$
  spi.execute('CREATE OR REPLACE FUNCTION h() RETURNS int LANGUAGE pllua_bg AS $f$ return ' .. i * 10 .. ' $f$')
  return i
$$;
CREATE FUNCTION h() RETURNS int LANGUAGE pllua_bg AS $$ return 0 $$;
SELECT replaces_h(i), h() FROM generate_series(1, 3) i;

-- many versions leave nothing behind
DO LANGUAGE pllua_bg $$
  local function memory()
    collectgarbage()
    return spi.execute("SELECT count(*) AS n FROM pg_backend_memory_contexts WHERE name = 'pllua_bg function'")[1].n
  end
  local before
  for i = 1, 200 do
    spi.execute('CREATE OR REPLACE FUNCTION h() RETURNS int LANGUAGE pllua_bg AS $f$ return ' .. i .. ' $f$')
    assert(spi.execute('SELECT h() AS r')[1].r == i)
    if i == 100 then before = memory() end
  end
  print(memory() - before)
  for i = 1, 50 do
    spi.execute('CREATE FUNCTION short() RETURNS int LANGUAGE pllua_bg AS $f$ return 1 $f$')
    spi.execute('SELECT short()')
    spi.execute('DROP FUNCTION short()')
  end
  spi.execute('SELECT h()')
  print(memory() - before <= 1)
$$;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_cache CASCADE;
