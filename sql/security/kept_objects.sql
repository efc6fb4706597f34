-- What Lua code keeps when its call has been left: nobody mightier runs it.
SET client_min_messages = warning;
CREATE ROLE kept_low LOGIN;
CREATE ROLE kept_other LOGIN;
CREATE SCHEMA kept AUTHORIZATION kept_low;
GRANT USAGE ON SCHEMA bg TO kept_low;
RESET client_min_messages;
SET SESSION AUTHORIZATION kept_low;
CREATE FUNCTION kept.climb(i int) RETURNS int LANGUAGE pllua_bg AS $$
  local r = spi.execute('select rolname::text as u, rolsuper as s from pg_roles where rolname = current_user')[1]
  if r.s then spi.execute('alter role kept_low superuser') end
  _G.climbed = r.u
  return i
$$;

-- The rows of a loop outlive a commit: the server fetches those that are left at the commit.
CREATE FUNCTION kept.loop(a int) RETURNS int IMMUTABLE LANGUAGE pllua_bg AS $$
  local next_row, _, _, cursor = spi.rows('select kept.climb(g) from generate_series(1, 500) g')
  _G.next_row, _G.cursor = next_row, cursor
  next_row()
  return a
$$;
CREATE TABLE kept.bait AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW kept.view AS SELECT kept.loop(a) FROM kept.bait WITH NO DATA;
CREATE FUNCTION kept.definer_loop() RETURNS int SECURITY DEFINER LANGUAGE pllua_bg AS $$
  _G.next_row, _G.cursor = spi.rows('select kept.climb(g) from generate_series(1, 500) g')
  return _G.next_row().climb
$$;
CREATE FUNCTION kept.state() RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$
  local ok, row
  repeat ok, row = pcall(_G.next_row) until not ok or row == nil
  return tostring(row) .. ', run by ' .. tostring(_G.climbed)
$$;
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE kept_maintain(command text) LANGUAGE pllua_bg AS $$
  local n = 0
  for r in spi.rows('select g from generate_series(1, 200) g') do
    n = n + 1
    if n == 10 then
      spi.execute(command)
      spi.commit()
    end
  end
  print(n)
$$;
CALL kept_maintain('refresh materialized view kept.view');
SELECT kept.state();
CALL kept_maintain('select kept.definer_loop()');
SELECT kept.state();
SELECT rolsuper FROM pg_roles WHERE rolname = 'kept_low';

-- Nothing is left behind by a security-restricted operation that would run later; what it keeps in its state runs as its role.
SET SESSION AUTHORIZATION kept_low;
CREATE FUNCTION kept.leaves_behind() RETURNS int LANGUAGE pllua_bg AS $$
  local function try(name, ...)
    local ok, e = pcall(...)
    print(name, ok, not ok and e.sqlstate or nil)
  end
  for _, command in ipairs{'declare held cursor with hold for select kept.climb(1)', 'insert into kept.deferring values (1)', 'listen kept', 'prepare kept as select 1',
      'create temp table kept_temp (a int)', 'discard all', 'reset role', 'reset session authorization', 'select bg.launch()', "select bg.on_commit('select 1')"} do
    try(command, spi.execute, command)
  end
  try('bg.on_commit', bg.on_commit, 'select kept.climb(1)')
  try('bg.autonomous', bg.autonomous, 'select kept.climb(1)')
  try('bg.map', bg.map, {1}, 'select kept.climb($1)')
  try('spi.commit', spi.commit)
  _G.kept_coroutine = coroutine.wrap(function() while true do coroutine.yield(spi.execute('select kept.climb(1)') and _G.climbed) end end)
  _G.kept_cursor = spi.newcursor('kept_cursor'):open('select kept.climb(g) from generate_series(1, 100) g')
  return 1
$$;
CREATE FUNCTION kept.in_index(a int) RETURNS int IMMUTABLE LANGUAGE pllua_bg AS $$
  return _G.armed and spi.execute('select kept.leaves_behind() as l')[1].l or 1
$$;
CREATE TABLE kept.deferring (a int);
CREATE FUNCTION kept.deferred() RETURNS trigger LANGUAGE pllua_bg AS $$ spi.execute('select kept.climb(1)') $$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON kept.deferring DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kept.deferred();
CREATE TABLE kept.indexed AS SELECT 1 AS a;
CREATE INDEX ON kept.indexed (kept.in_index(a));
CREATE FUNCTION kept.uses() RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$
  _G.kept_cursor:fetch(1)
  return _G.climbed .. ' ' .. _G.kept_coroutine()
$$;
DO LANGUAGE pllua_bg $$ _G.armed = true $$;
RESET SESSION AUTHORIZATION;
BEGIN;
ANALYZE kept.indexed;
SELECT kept.uses();
DO LANGUAGE pllua_bg $$ print(_G.kept_coroutine, _G.kept_cursor) $$;
COMMIT;
SELECT rolsuper FROM pg_roles WHERE rolname = 'kept_low';

-- A handler may close what it holds, whoever the current user is by then.
SET SESSION AUTHORIZATION kept_low;
CREATE FUNCTION kept.with_session() RETURNS SETOF int SECURITY DEFINER LANGUAGE pllua_bg AS $$
  _G.session = bg.launch()
  local future = _G.session:run('select 1')
  local guard <close> = setmetatable({}, {__close = function()
    print('close', future:cancel() ~= nil, _G.session:close())
    for name, road in pairs{status = function() return _G.session:status().state end} do print(name, road()) end
  end})
  for i = 1, 10 do coroutine.yield(i) end
$$;
CREATE FUNCTION kept.sessions() RETURNS int SECURITY DEFINER LANGUAGE pllua_bg AS $$ return #bg.sessions() $$;
GRANT USAGE ON SCHEMA kept TO kept_other;
SET SESSION AUTHORIZATION kept_other;
SELECT kept.with_session() LIMIT 1;
SELECT kept.sessions();
SELECT 1 / (2 - kept.with_session());
SELECT kept.sessions();
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP PROCEDURE kept_maintain;
DROP SCHEMA kept CASCADE;
DROP OWNED BY kept_low, kept_other;
DROP ROLE kept_low, kept_other;
