-- Errors: codes, fields, and where they come from.
CREATE SCHEMA pl_errors;
SET search_path = pl_errors;

CREATE FUNCTION plain() RETURNS int LANGUAGE pllua_bg AS $$

  local x
  return x.y
$$;
\set SHOW_CONTEXT always
DO LANGUAGE plpgsql $$ BEGIN PERFORM plain(); EXCEPTION WHEN external_routine_exception THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$;
SELECT plain();
CREATE FUNCTION local_functions() RETURNS int LANGUAGE pllua_bg AS $$
  local function inner(x)
    error('deep ' .. x)
  end
  local object = {}
  function object.method(x) inner(x) return 1 end
  return object.method(5)
$$;
SELECT local_functions();
CREATE FUNCTION server_error() RETURNS int LANGUAGE pllua_bg AS $$
  local function run()
    return spi.execute('SELECT 1/0')
  end
  return run()[1]
$$;
SELECT server_error();

-- nested calls name each frame once
CREATE FUNCTION nest1() RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('SELECT nest2() x')[1].x $$;
CREATE FUNCTION nest2() RETURNS int LANGUAGE pllua_bg AS $$
  local result = spi.execute('SELECT nest3() x')
  return result[1].x $$;
CREATE FUNCTION nest3() RETURNS int LANGUAGE pllua_bg AS $$
  local function fail() error 'deep' end
  fail()
$$;
SELECT nest1();
CREATE OR REPLACE FUNCTION nest3() RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('SELECT 1/0')[1] $$;
SELECT nest1();
-- caught and raised again
CREATE OR REPLACE FUNCTION nest2() RETURNS int LANGUAGE pllua_bg AS $$
  local ok, err = pcall(spi.execute, 'SELECT nest3() x')
  error(err)
$$;
SELECT nest1();
-- in a coroutine
CREATE FUNCTION in_coroutine() RETURNS int LANGUAGE pllua_bg AS $$
  local resume = coroutine.wrap(function()
    spi.execute('SELECT 1/0')
  end)
  return resume()
$$;
SELECT in_coroutine();
-- a deep stack is cut
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE pllua_bg AS $$
  local function down(n) if n == 0 then error 'bottom' end return 1 + down(n - 1) end
  return down(n)
$$;
SELECT deep(50);
-- results that do not fit
CREATE FUNCTION misfit() RETURNS int LANGUAGE pllua_bg AS $$ return {} $$;
SELECT misfit();
CREATE FUNCTION misfit_text() RETURNS int LANGUAGE pllua_bg AS $$ return 'x' $$;
SELECT misfit_text();
-- messages carry the context too
CREATE FUNCTION notices() RETURNS void LANGUAGE pllua_bg AS $$ spi.execute('DROP TABLE IF EXISTS pl_errors.no_such_table') $$;
SELECT notices();

-- the fields of an error of ours reach the caller
CREATE FUNCTION with_fields() RETURNS void LANGUAGE pllua_bg AS $$
  spi.error { sqlstate = '22012', message = 'm', detail = 'd', hint = 'h', schema = 's', table = 't', column = 'c', constraint = 'k', datatype = 'y' }
$$;
DO LANGUAGE plpgsql $$
DECLARE v text[]; a text; b text; c text; d text; e text; f text;
BEGIN
  PERFORM with_fields();
EXCEPTION WHEN division_by_zero THEN
  GET STACKED DIAGNOSTICS a = MESSAGE_TEXT, b = PG_EXCEPTION_DETAIL, c = PG_EXCEPTION_HINT, d = SCHEMA_NAME, e = TABLE_NAME, f = CONSTRAINT_NAME;
  RAISE NOTICE '% % % % % %', a, b, c, d, e, f;
END $$;
\set SHOW_CONTEXT errors

-- a function can be called again after an error, as often as it takes
CREATE FUNCTION sometimes(i int) RETURNS int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, { __close = function() _G.pl_closed = (pl_closed or 0) + 1 end })
  if i % 2 == 0 then error 'even' end
  return i
$$;
DO LANGUAGE plpgsql $$
DECLARE caught int := 0; total int := 0;
BEGIN
  FOR i IN 1..1000 LOOP
    BEGIN total := total + sometimes(i); EXCEPTION WHEN OTHERS THEN caught := caught + 1; END;
  END LOOP;
  RAISE NOTICE '% %', caught, total;
END $$;
DO LANGUAGE pllua_bg $$ print(pl_closed) _G.pl_closed = nil $$;
SELECT count(*) AS errors_left FROM pg_backend_memory_contexts WHERE name = 'pllua_bg error' HAVING count(*) > 1;

-- An error of spi.error goes where one of the server goes: only a pcall that undoes what was done before catches it.
CREATE TABLE swallowed (a int);
DO LANGUAGE pllua_bg $$
  local function fails() spi.execute('INSERT INTO swallowed VALUES (1)') spi.error('22000', 'of spi.error') end
  local failed = select(2, pcall(fails))
  local function again() error(failed) end
  local function closes() local c <close> = setmetatable({}, {__close = function() error('another', 0) end}) fails() end
  local roads = {
    lpcall = function() return lpcall(fails) end,
    object = function() return lpcall(again) end,
    assertion = function() return lpcall(assert, false, failed) end,
    close = function() return lpcall(closes) end,
    resume = function() return coroutine.resume(coroutine.create(fails)) end,
    resumed_object = function() return coroutine.resume(coroutine.create(again)) end,
    wrap = function() return lpcall(coroutine.wrap(fails)) end,
    closed_coroutine = function()
      local co = coroutine.create(function() local c <close> = setmetatable({}, {__close = again}) coroutine.yield() end)
      coroutine.resume(co)
      return coroutine.close(co)
    end,
    reader = function() return load(fails) end,
    object_of_reader = function() return load(again) end,
    handler = function() return xpcall(error, fails) end,
    object_of_handler = function() return xpcall(error, again) end,
    callback = function() return lpcall(string.gsub, 'x', 'x', fails) end,
    comparison = function() return lpcall(table.sort, {1, 2}, fails) end,
    conversion = function() return lpcall(pgtype.jsonb, {1}, {map = fails}) end,
    text = function() return lpcall(tostring, setmetatable({}, {__tostring = fails})) end,
    cancel = function() return lpcall(spi.error, '57014', 'made up') end,
  }
  local names = {}
  for name in pairs(roads) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do print(name, pcall(function() return 'swallowed', roads[name]() end)) end
  print(spi.execute('SELECT count(*) FROM swallowed').value)
  print(lpcall(error, 'of Lua'), coroutine.resume(coroutine.create(error), 'of Lua'))
  print(failed.context)
$$;
-- xpcall: the handler gives one value, gets its own errors too, and is given up when it only fails
DO LANGUAGE pllua_bg $$
  print(xpcall(error, function() return 1, 2 end))
  print(xpcall(error, function() end, 'x'))
  print(xpcall(error, function(e) if e == 'first' then error('second', 0) end return 'got ' .. e end, 'first'))
  print(xpcall(error, function() error('always') end, 'x'))
  print(pcall(xpcall, error, function(e) print(e) spi.execute('SELECT 1/0') end, 'x'))
$$;
DO LANGUAGE pllua_bg $$ xpcall(error, spi.error, 'of the handler') $$;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_errors CASCADE;

-- What was reachable from a call that fails may end while the call is let go: its finalizers run, fail, and ask where they are.
DO LANGUAGE pllua_bg $$
	local kept <const> = setmetatable({}, {__gc = function() print(select(2, pcall(spi.execute, 'select 1')).context) end})
	error(select(2, pcall(spi.error, '53200', 'so much')))
$$;
DO LANGUAGE pllua_bg $$
	local kept <const> = setmetatable({}, {__gc = function() print(select(2, pcall(spi.execute, 'select 1')).context) end})
	local co = coroutine.wrap(function() coroutine.wrap(error)(select(2, pcall(spi.error, '54001', 'so deep'))) end)
	co()
$$;
