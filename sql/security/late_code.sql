-- Code that runs after its call has been left: with the user and the security context of that call, or without the database.
SET client_min_messages = warning;
CREATE ROLE late_low LOGIN;
CREATE ROLE late_other LOGIN;
GRANT late_other TO late_low;
CREATE SCHEMA late AUTHORIZATION late_low;
GRANT USAGE ON SCHEMA late TO late_other;
RESET client_min_messages;
SET SESSION AUTHORIZATION late_low;
SET search_path = late;

-- Says as whom its close handler may use the database, then what it could do with it.
CREATE FUNCTION watched() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, {__close = function()
    local ok, result = pcall(spi.execute, 'select current_user::text as u, rolsuper as s from pg_catalog.pg_roles where rolname = current_user')
    print('closing: ' .. (ok and result[1].u or result.message))
    if ok and result[1].s then spi.execute('alter role late_low superuser') end
    -- roads to the server that are no statement
    for name, road in pairs{domain = function() return pgtype.late_domain(1) end, session = function() return bg.launch() end,
        commit = function() return bg.on_commit('alter role late_low superuser') end} do
      if not ok and pcall(road) then print('open road: ' .. name) end
    end
  end})
  coroutine.yield(1) coroutine.yield(2)
$$;
CREATE FUNCTION climb(int) RETURNS boolean LANGUAGE pllua_bg AS $$
  if spi.execute('select rolsuper as s from pg_catalog.pg_roles where rolname = current_user')[1].s then
    spi.execute('alter role late_low superuser')
  end
  return true
$$;
CREATE DOMAIN late_domain AS int CHECK (climb(value));
CREATE FUNCTION watched_definer() RETURNS SETOF int LANGUAGE sql SECURITY DEFINER AS $$ SELECT late.watched() $$;
CREATE FUNCTION lua_definer() RETURNS SETOF int SECURITY DEFINER LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, {__close = function()
    local ok, result = pcall(spi.execute, 'select current_user::text as u')
    print('closing: ' .. (ok and result[1].u or result.message))
  end})
  coroutine.yield(1) coroutine.yield(2)
$$;
CREATE FUNCTION lua_with_setting() RETURNS SETOF int SET work_mem = '123kB' LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, {__close = function()
    local ok, result = pcall(spi.execute, "select current_setting('work_mem') as s")
    print('closing: ' .. (ok and result[1].s or result.message))
  end})
  coroutine.yield(1) coroutine.yield(2)
$$;
-- Leave a cursor behind.
CREATE FUNCTION trap(a int) RETURNS int IMMUTABLE LANGUAGE pllua_bg AS $$
  spi.prepare('select late.watched()'):getcursor():fetch(1)
  return a
$$;
CREATE FUNCTION plpgsql_trap(a int) RETURNS int IMMUTABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE c refcursor; n int;
BEGIN
  OPEN c FOR SELECT late.watched();
  FETCH c INTO n;
  RETURN a;
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA late TO late_other;

-- By the same user, in the call's own statement.
SELECT watched() LIMIT 1;
SELECT EXISTS (SELECT watched());
SELECT lua_definer() LIMIT 1;
SELECT lua_with_setting() LIMIT 1;
BEGIN;
DECLARE c CURSOR FOR SELECT watched();
FETCH 1 FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT watched();
FETCH 1 FROM c;
SET LOCAL ROLE late_other;
CLOSE c;
COMMIT;
-- An error: without the database, and quietly.
SELECT watched() / 0 LIMIT 1;

-- By a superuser over objects of the role.
CREATE TABLE bait (a int, b int DEFAULT 0);
INSERT INTO bait SELECT i FROM generate_series(1, 3) i;
CREATE INDEX bait_index ON bait (trap(a));
CREATE TABLE plpgsql_bait AS SELECT * FROM bait;
CREATE INDEX plpgsql_bait_index ON plpgsql_bait (plpgsql_trap(a));
CREATE MATERIALIZED VIEW view_bait AS SELECT trap(a) FROM bait;
CREATE TABLE checked_bait (a int CHECK (trap(a) > 0));
CREATE TABLE deferred_bait (a int);
CREATE FUNCTION deferred() RETURNS trigger LANGUAGE pllua_bg AS $$
  spi.prepare('select late.watched()'):getcursor():fetch(1)
$$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON deferred_bait DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deferred();
CREATE TABLE policy_bait AS SELECT 1 AS a;
ALTER TABLE policy_bait ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy_bait FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON policy_bait USING (plpgsql_trap(a) > 0);
GRANT ALL ON ALL TABLES IN SCHEMA late TO late_other;
RESET SESSION AUTHORIZATION;
ANALYZE late.bait;
ANALYZE late.plpgsql_bait;
REINDEX TABLE late.bait;
REINDEX TABLE late.plpgsql_bait;
REFRESH MATERIALIZED VIEW late.view_bait;
VACUUM ANALYZE late.bait;
CLUSTER late.bait USING bait_index;
SELECT late.watched_definer() LIMIT 1;
SELECT late.lua_definer() LIMIT 1;
SELECT late.plpgsql_trap(1);
SELECT a.i FROM generate_series(1, 2) AS a (i) WHERE EXISTS (SELECT late.watched_definer());
BEGIN;
DECLARE c CURSOR FOR SELECT late.lua_definer();
FETCH 1 FROM c;
COMMIT;
SET ROLE late_other;
INSERT INTO late.checked_bait VALUES (1);
INSERT INTO late.deferred_bait VALUES (1);
SELECT * FROM late.policy_bait;
RESET ROLE;
SELECT rolname, rolsuper FROM pg_roles WHERE rolname LIKE 'late%' ORDER BY 1;

-- A set does not go on as somebody else.
CREATE FUNCTION late.whoami() RETURNS SETOF text LANGUAGE pllua_bg AS $$
  while true do coroutine.yield(spi.execute('select current_user::text as u')[1].u .. ' ' .. tostring(_G.marker)) end
$$;
BEGIN;
SET LOCAL ROLE late_low;
DO LANGUAGE pllua_bg $$ _G.marker = 'planted' $$;
DECLARE c CURSOR FOR SELECT late.whoami();
FETCH 1 FROM c;
SET LOCAL ROLE late_other;
SAVEPOINT s;
FETCH 1 FROM c;
ROLLBACK TO s;
RESET ROLE;
FETCH 1 FROM c;
ROLLBACK;
-- A definer's set function called by others is always the definer's.
ALTER FUNCTION late.whoami() SECURITY DEFINER;
BEGIN;
DECLARE c CURSOR FOR SELECT late.whoami();
FETCH 1 FROM c;
SET LOCAL ROLE late_other;
FETCH 1 FROM c;
COMMIT;

-- Finalizers have no database; what they raise does not reach anybody.
CREATE TABLE late.finalized (who text);
DO LANGUAGE pllua_bg $$
  setmetatable({}, {__gc = function()
    local ok, err = pcall(spi.execute, 'insert into late.finalized values (current_user)')
    print(ok, err.sqlstate, err.message)
  end})
  collectgarbage()
$$;
SELECT * FROM late.finalized;

-- Inside of a security-restricted operation no session is used, also not one that is there already.
GRANT USAGE ON SCHEMA bg TO late_low;
GRANT CREATE ON SCHEMA late TO late_low;
SET SESSION AUTHORIZATION late_low;
CREATE FUNCTION late.restricted(a int) RETURNS int IMMUTABLE LANGUAGE pllua_bg AS $$
  if _G.kept and not tried then
    tried = true
    for i, road in ipairs{bg.launch, function() kept:run('select 1') end, function() kept:exec('select 1') end, function() bg.autonomous('select 1') end,
        function() for _ in kept:rows('select 1') do end end, function() kept:prepare('select 1') end, function() bg.on_commit('select 1') end,
        function() statement:run() end, function() kept:begin() end, function() bg.map({1}, 'select $1') end,
        function() spi.execute('select bg.run($1, $2)', kept.pid, 'select 1') end, function() spi.execute('select bg.launch()') end} do
      local ok, err = pcall(road)
      print(i, ok, err.sqlstate, err.message)
    end
  end
  return a
$$;
CREATE TABLE late.restricted_table AS SELECT 1 AS a;
CREATE INDEX ON late.restricted_table (late.restricted(a));
DO LANGUAGE pllua_bg $$ _G.kept = bg.launch() _G.statement = _G.kept:prepare('select 1') $$;
RESET SESSION AUTHORIZATION;
ANALYZE late.restricted_table;
SET SESSION AUTHORIZATION late_low;
DO LANGUAGE pllua_bg $$ print(kept:exec('select 1').value) kept:close() $$;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DROP SCHEMA late CASCADE;
DROP OWNED BY late_low, late_other;
DROP ROLE late_low, late_other;
