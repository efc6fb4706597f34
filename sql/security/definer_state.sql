-- A SECURITY DEFINER function runs in the Lua state of its owner, which its caller cannot reach.
SET client_min_messages = warning;
CREATE ROLE definer_low LOGIN;
CREATE ROLE definer_owner LOGIN;
CREATE SCHEMA definer AUTHORIZATION definer_owner;
GRANT USAGE ON SCHEMA definer TO definer_low;
GRANT USAGE ON SCHEMA bg TO definer_owner, definer_low;
RESET client_min_messages;
SET SESSION AUTHORIZATION definer_owner;
CREATE TYPE definer.pair AS (a int, b text);
CREATE FUNCTION definer.guard(s text, p definer.pair, list int[], j jsonb, c refcursor) RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$
  local found = {}
  for name, value in pairs{planted = _G.planted, upper = ('x'):upper() ~= 'X', format = string.format('%s', 'f') ~= 'f', text = tostring(1) ~= '1',
      spi = spi.quote_ident('a') ~= 'a', argument = s ~= 'argument', field = p.a ~= 1 or p.b ~= 'b', element = list[2] ~= 6,
      json = tostring(j) ~= '{"k": "v"}', pairs_ = next({}) ~= nil, error_ = require 'pllua.error'.planted, coroutine_ = coroutine.planted, bg_ = bg.planted,
      module = package and package.loaded and package.loaded.planted} do
    if value then found[#found + 1] = name end
  end
  _G.own = 'of the owner'
  return spi.execute('select current_user::text as u')[1].u .. ': ' .. (#found == 0 and 'nothing planted' or table.concat(found, ' '))
$$;
CREATE FUNCTION definer.fails() RETURNS void SECURITY DEFINER LANGUAGE pllua_bg AS $$
  error(setmetatable({secret = 'x'}, {__tostring = function() return 'planted: ' .. tostring(_G.planted) end, __index = _G}))
$$;
CREATE FUNCTION definer.raises() RETURNS void SECURITY DEFINER LANGUAGE pllua_bg AS $$ spi.error('22012', 'no secret', 'detail', 'hint') $$;
CREATE FUNCTION definer.session() RETURNS int SECURITY DEFINER LANGUAGE pllua_bg AS $$
  _G.kept = _G.kept or bg.launch()
  return _G.kept.pid
$$;
CREATE FUNCTION definer.close_session() RETURNS boolean SECURITY DEFINER LANGUAGE pllua_bg AS $$ return _G.kept:close() $$;
CREATE TABLE definer.secrets AS SELECT i, CASE WHEN i % 100 = 0 THEN 'definer_low' ELSE 'definer_owner' END AS who FROM generate_series(1, 1000) i;
CREATE FUNCTION definer.own_secrets() RETURNS SETOF int SECURITY DEFINER LANGUAGE pllua_bg AS $$
  for r in spi.rows('select i, who from definer.secrets') do
    if r.who == 'definer_low' then coroutine.yield(r.i) end
  end
$$;
RESET SESSION AUTHORIZATION;

SET SESSION AUTHORIZATION definer_low;
DO LANGUAGE pllua_bg $$
  _G.planted = 'planted'
  for _, library in pairs{string, table, math, coroutine, spi, bg, pgtype, require 'pllua.error', require 'pllua.jsonb'} do
    pcall(function() library.planted = true end)
    if type(library) == 'table' then
      for name, value in pairs(library) do
        if type(value) == 'function' then pcall(function() library[name] = function() return 'planted' end end) end
      end
    end
  end
  local own_pairs = pairs
  for _, name in ipairs{'pairs', 'next', 'tostring', 'error', 'pcall', 'getmetatable'} do _G[name] = function() return 'planted' end end
$$;
DO LANGUAGE pllua_bg $$ local m = getmetatable('') if type(m) == 'table' then m.__index = {upper = function() return 'planted' end} end $$;
SELECT definer.guard('argument', ROW(1, 'b'), '{5,6}', '{"k": "v"}', 'none');
-- Errors come as data.
\set VERBOSITY terse
SELECT definer.fails();
SELECT definer.raises();
\set VERBOSITY default
\c -
SET SESSION AUTHORIZATION definer_low;
DO LANGUAGE pllua_bg $$
  print('own', _G.own)
  local ok, e = pcall(spi.execute, 'select definer.fails()')
  print(type(e), e.message, e.secret, e.planted)
  ok, e = pcall(spi.execute, 'select definer.raises()')
  print(e.sqlstate, e.message, e.detail, e.hint)
$$;
-- Nor is a session of the owner for the caller to use.
DO LANGUAGE pllua_bg $$
  local pid = spi.execute('select definer.session() as pid')[1].pid
  for _, road in ipairs{function() return bg.session(pid) end, function() return bg.exec(pid, 'select 1') end, function() return bg.run(pid, 'select 1') end,
      function() return bg.status(pid) end, function() return bg.close(pid) end, function() return bg.terminate(pid) end, function() return bg.cancel(pid) end,
      function() return spi.execute('select bg.run($1, $2)', pid, 'select 1') end, function() return spi.execute('select * from bg.result($1) as (a int)', pid) end,
      function() return spi.execute('select bg.detach($1)', pid) end} do
    local ok, e = pcall(road)
    print(ok, not ok and e.sqlstate)
  end
  print(#bg.sessions())
$$;
SELECT definer.close_session();
-- Nor does the caller get at the rows behind a set between two of its rows.
CREATE FUNCTION pg_temp.steal() RETURNS int LANGUAGE plpgsql AS $$
DECLARE c refcursor; r record; n int := (SELECT count(*) FROM pg_cursors WHERE statement LIKE '%definer.secrets%');
BEGIN
  FOR i IN 1..50 LOOP
    BEGIN
      c := '<unnamed portal ' || i || '>';
      FETCH c INTO r;
      IF r.who = 'definer_owner' THEN n := n + 1; END IF;
    EXCEPTION WHEN others THEN NULL;
    END;
  END LOOP;
  RETURN n;
END $$;
SELECT definer.own_secrets(), pg_temp.steal() LIMIT 3;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA definer CASCADE;
DROP OWNED BY definer_owner, definer_low;
DROP ROLE definer_owner, definer_low;
