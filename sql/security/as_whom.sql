-- As whom Lua code runs, in each way it can run, wherever the server may call it.
SET client_min_messages = warning;
CREATE ROLE whom_low LOGIN;
CREATE ROLE whom_other LOGIN;
CREATE SCHEMA whom AUTHORIZATION whom_low;
GRANT USAGE ON SCHEMA whom TO whom_other;
GRANT USAGE ON SCHEMA bg TO whom_low, whom_other;
RESET client_min_messages;
SET SESSION AUTHORIZATION whom_low;

-- Runs code in each way and prints who the user was, with the ways; 'nobody' where there was no database.
CREATE FUNCTION whom.observe(place text) RETURNS int LANGUAGE pllua_bg AS $$
  local seen, users = {}, {}
  local function note(way, user)
    if not seen[user] then seen[user] = {} users[#users + 1] = user end
    table.insert(seen[user], way)
  end
  local function ask()
    local ok, result = pcall(spi.execute, 'select current_user::text as u')
    return ok and result[1].u or result.sqlstate == '55000' and 'nobody' or result.message
  end
  note('call', ask())
  note('plpgsql', spi.execute('select whom.plain() as u')[1].u)
  note('coroutine', coroutine.wrap(ask)())
  if not _G.kept then _G.kept = coroutine.wrap(function(ask) while true do ask = coroutine.yield(ask()) end end) end
  note('kept coroutine', _G.kept(ask))
  do local guard <close> = setmetatable({}, {__close = function() note('close', ask()) end}) end
  xpcall(error, function() note('message handler', ask()) end)
  note('metamethod', tostring(setmetatable({}, {__tostring = ask})))
  note('sort', (function() local user table.sort({1, 2}, function(a, b) user = ask() return a < b end) return user end)())
  note('load', (function() local user load(function() user = user or ask() end) return user end)())
  if not _G.plan then _G.plan = spi.prepare('select current_user::text as u') end
  note('plan', _G.plan:execute()[1].u)
  for row in _G.plan:rows() do note('loop', row.u) end
  note('set', spi.execute('select whom.who_set() as u')[1].u)
  for row in spi.rows('select whom.who_set() as u') do note('rows of a set', row.u) end
  do
    local guard = setmetatable({}, {__gc = function() note('gc', ask()) end})
    guard = nil
    collectgarbage()
  end
  note('left set', (function()
    spi.execute('select whom.left_set() limit 1')
    return _G.left
  end)())
  local ok, err = pcall(bg.scope, function(scope) scope:go(function() note('task', ask()) end) end)
  local can_launch, refused = pcall(function()
    local session <close> = bg.launch{on_notice = function() note('on_notice', ask()) end, on_notify = function() note('on_notify', ask()) end}
    session:exec("listen whom_channel")
    note('session', session:exec("select current_user::text as u")[1].u)
    session:exec("do $x$ begin raise notice 'x'; end $x$")
    session:exec("notify whom_channel")
    session:exec("select 1")
  end)
  if not can_launch then note('session', refused.sqlstate) end
  table.sort(users)
  for _, user in ipairs(users) do print(place .. ': ' .. user .. ': ' .. table.concat(seen[user], ', ')) end
  local _, role = pcall(function() spi.execute('set role none') error('may set the role', 0) end)
  print(place .. ': ' .. tostring(role):gsub('^.*: 42501 ', ''))
  return 1
$$;
CREATE FUNCTION whom.plain() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_user; END $$;
CREATE FUNCTION whom.who_set() RETURNS SETOF text LANGUAGE pllua_bg AS $$
  for i = 1, 2 do coroutine.yield(spi.execute('select current_user::text as u')[1].u) end
$$;
CREATE FUNCTION whom.left_set() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, {__close = function()
    local ok, result = pcall(spi.execute, 'select current_user::text as u')
    _G.left = ok and result[1].u or result.sqlstate == '55000' and 'nobody' or result.message
  end})
  coroutine.yield(1) coroutine.yield(2)
$$;
CREATE FUNCTION whom.in_index(a int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT whom.observe('index') $$;
CREATE FUNCTION whom.trigger() RETURNS trigger LANGUAGE pllua_bg AS $$ spi.execute('select whom.observe($1)', trigger.name) $$;
CREATE FUNCTION whom.sql_definer() RETURNS int SECURITY DEFINER LANGUAGE sql AS $$ SELECT whom.observe('SQL definer') $$;
CREATE FUNCTION whom.plpgsql_definer() RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN RETURN whom.observe('plpgsql definer'); END $$;
CREATE FUNCTION whom.lua_definer() RETURNS int SECURITY DEFINER LANGUAGE pllua_bg AS $$ return spi.execute('select whom.observe($1) as o', 'Lua definer')[1].o $$;
CREATE FUNCTION whom.with_setting() RETURNS int SET search_path = pg_catalog SET work_mem = '1MB' LANGUAGE plpgsql AS $$
BEGIN RETURN whom.observe('SET clause'); END $$;
CREATE TABLE whom.indexed AS SELECT 1 AS a;
CREATE INDEX ON whom.indexed (whom.in_index(a));
CREATE MATERIALIZED VIEW whom.view AS SELECT whom.observe('view') WITH NO DATA;
CREATE TABLE whom.checked (a int CHECK (whom.observe('check') > 0));
CREATE DOMAIN whom.domain AS int CHECK (whom.observe('domain') > 0);
CREATE TABLE whom.guarded AS SELECT 1 AS a;
ALTER TABLE whom.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON whom.guarded USING (whom.observe('policy') > 0);
CREATE TABLE whom.watched (a int);
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON whom.watched DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION whom.trigger();
CREATE TRIGGER row_trigger BEFORE INSERT ON whom.watched FOR EACH ROW EXECUTE FUNCTION whom.trigger();
GRANT ALL ON ALL TABLES IN SCHEMA whom TO whom_other;
RESET SESSION AUTHORIZATION;

-- By a superuser: as the owner.
ANALYZE whom.indexed;
REINDEX TABLE whom.indexed;
REFRESH MATERIALIZED VIEW whom.view;
SELECT whom.sql_definer(), whom.plpgsql_definer(), whom.lua_definer();
-- By another role: as that role, where the server says so.
SET ROLE whom_other;
INSERT INTO whom.checked VALUES (1);
SELECT 1::whom.domain;
SELECT * FROM whom.guarded;
INSERT INTO whom.watched VALUES (1);
SELECT whom.with_setting();
SELECT whom.lua_definer();
RESET ROLE;
SELECT rolname, rolsuper FROM pg_roles WHERE rolname LIKE 'whom%' ORDER BY 1;

-- A role that changes within a call: what follows is done as the new one, in the state of the old one; what is left has no database.
GRANT whom_other TO whom_low;
SET SESSION AUTHORIZATION whom_low;
CREATE FUNCTION whom.mark() RETURNS text LANGUAGE pllua_bg AS $$ return tostring(_G.mark) .. ' ' .. spi.execute('select current_user::text as u')[1].u $$;
GRANT EXECUTE ON FUNCTION whom.mark() TO whom_other;
DO LANGUAGE pllua_bg $$
  _G.mark = 'low'
  local function who() return spi.execute('select current_user::text as u, whom.mark() as m')[1] end
  print(who().u, who().m)
  spi.execute('set role whom_other')
  print(who().u, who().m)
  setmetatable({}, {__gc = function() print(pcall(spi.execute, 'select 1')) end})
  collectgarbage()
  spi.execute('reset role')
  print(who().u, who().m)
$$;
CREATE FUNCTION whom.changes_role() RETURNS SETOF text LANGUAGE pllua_bg AS $$
  coroutine.yield('first')
  spi.execute('set role whom_other')
  coroutine.yield('second')
  coroutine.yield('third')
$$;
SELECT whom.changes_role();
SELECT current_user;
SELECT * FROM whom.changes_role();
SELECT current_user;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA whom CASCADE;
DROP OWNED BY whom_low, whom_other;
DROP ROLE whom_low, whom_other;
