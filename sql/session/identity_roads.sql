-- More ways to another identity, in the launching session and in its background session: none leads above the user of the launch.
\set SHOW_CONTEXT never
CREATE ROLE regress_bg_app LOGIN;
CREATE ROLE regress_bg_team;
CREATE ROLE regress_bg_boss LOGIN;
CREATE ROLE regress_bg_outsider LOGIN;
GRANT regress_bg_team TO regress_bg_app;
GRANT USAGE ON SCHEMA bg TO regress_bg_app, regress_bg_boss, regress_bg_outsider, regress_bg_team;
CREATE FUNCTION who() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', current_user, session_user, current_setting('is_superuser')) $$;
-- What each statement says, and who one is after it.
CREATE FUNCTION try_in(pid int, VARIADIC statements text[]) RETURNS TABLE (statement text, answer text, identity text) LANGUAGE pllua_bg AS $$
    local s = bg.session(pid)
    for _, statement in ipairs(statements) do
        local ok, e = pcall(s.exec, s, statement)
        coroutine.yield(statement, ok and 'done' or e.sqlstate, s:exec('select who()').value)
        if s:status().transaction ~= 'I' and statement ~= 'begin' then s:exec('rollback') end
    end
$$;
-- SET ROLE here: the session is that role, and has no way back
SET ROLE regress_bg_app;
SELECT bg.launch() AS pid \gset
SELECT * FROM try_in(:pid, 'reset role', 'set role none', 'set session authorization default', 'reset session authorization', 'discard all',
    'begin; reset role; rollback', 'set local role none', 'reset all', 'do ''begin rollback; commit; reset role; end''',
    'set role regress_bg_boss', 'set session authorization regress_bg_boss', 'alter role regress_bg_app superuser',
    'set session_replication_role = replica');
-- a role it is a member of is open to it, and it comes back to itself
SELECT * FROM try_in(:pid, 'set role regress_bg_team', 'reset role', 'begin; set local role regress_bg_team; commit', 'set role regress_bg_team', 'discard all');
-- back here: a superuser may use it, and it is still that role
RESET ROLE;
SELECT * FROM try_in(:pid, 'reset role');
SELECT bg.close(:pid);
-- SET SESSION AUTHORIZATION here
SET SESSION AUTHORIZATION regress_bg_app;
SELECT bg.launch() AS pid \gset
SELECT * FROM try_in(:pid, 'reset session authorization', 'discard all');
RESET SESSION AUTHORIZATION;
SELECT * FROM try_in(:pid, 'set session authorization default');
SELECT bg.close(:pid);
-- a definer's session is not for the caller, whether it was kept or left
CREATE FUNCTION leaves_one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT bg.launch()';
ALTER FUNCTION leaves_one() OWNER TO regress_bg_boss;
SET ROLE regress_bg_outsider;
SELECT leaves_one() AS pid \gset
SELECT set_config('test.pid', :'pid', false) IS NULL;
SELECT bg.run(:pid, 'select 1');
SELECT * FROM bg.result(:pid) AS (x int);
SELECT bg.wait(:pid);
SELECT bg.cancel(:pid);
SELECT bg.detach(:pid);
DO LANGUAGE pllua_bg $$
    local pid = math.tointeger(spi.execute("select current_setting('test.pid')::int as pid")[1].pid)
    print(#bg.sessions())
    for _, word in ipairs{'session', 'run', 'exec', 'rows', 'cancel', 'detach', 'close', 'result', 'results', 'status'} do
        local ok, e = pcall(bg[word], pid, 'select 1')
        print(word, ok, ok and (e and e.state or e) or e.sqlstate)
    end
$$;
-- membership opens it, for as long as it lasts
RESET ROLE;
GRANT regress_bg_boss TO regress_bg_outsider;
SET ROLE regress_bg_outsider;
SELECT * FROM try_in(:pid, 'reset role');
RESET ROLE;
REVOKE regress_bg_boss FROM regress_bg_outsider;
SET ROLE regress_bg_outsider;
SELECT bg.run(:pid, 'select 1');
RESET ROLE;
SELECT bg.close(:pid);
-- a definer's clean session does not go to the caller from the pool, nor the other way round
CREATE FUNCTION worker_of(query text) RETURNS int LANGUAGE pllua_bg SECURITY DEFINER AS $$
    local s <close> = bg.launch()
    return s:exec(query).value
$$;
ALTER FUNCTION worker_of(text) OWNER TO regress_bg_app;
CREATE FUNCTION own_worker(query text) RETURNS int LANGUAGE pllua_bg AS $$
    local s <close> = bg.launch()
    return s:exec(query).value
$$;
SELECT worker_of('select pg_backend_pid()') = own_worker('select pg_backend_pid()') AS same;
SET ROLE regress_bg_outsider;
SELECT worker_of('select pg_backend_pid()') = own_worker('select pg_backend_pid()') AS same;
RESET ROLE;
-- a procedure of the definer that commits in the session
SET ROLE regress_bg_app;
SELECT bg.launch() AS pid \gset
RESET ROLE;
CREATE PROCEDURE climbs() LANGUAGE plpgsql AS $$ BEGIN COMMIT; RESET ROLE; ROLLBACK; SET SESSION AUTHORIZATION DEFAULT; COMMIT; END $$;
SELECT * FROM try_in(:pid, 'call climbs()');
-- the right to have sessions is lost: the open one lives on, no other opens
REVOKE USAGE ON SCHEMA bg FROM regress_bg_app, regress_bg_team;
SET ROLE regress_bg_app;
DO LANGUAGE pllua_bg $$ bg.launch() $$;
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
DO LANGUAGE pllua_bg $$ bg.on_commit('select 1') $$;
DO LANGUAGE pllua_bg $$ print(bg.sessions()[1]:exec('select who()').value) $$;
RESET ROLE;
SELECT bg.close(:pid);
-- the role is no superuser any more: its open session is none either
GRANT USAGE ON SCHEMA bg TO regress_bg_boss;
ALTER ROLE regress_bg_boss SUPERUSER;
SET ROLE regress_bg_boss;
SELECT bg.launch() AS pid \gset
SELECT * FROM try_in(:pid, 'set session_replication_role = replica');
RESET ROLE;
ALTER ROLE regress_bg_boss NOSUPERUSER;
SELECT answer FROM try_in(:pid, 'alter role regress_bg_outsider superuser', 'set session_replication_role = replica');
SELECT bg.close(:pid);
DROP FUNCTION leaves_one(), worker_of(text), own_worker(text), try_in(int, text[]), who();
DROP PROCEDURE climbs();
DROP OWNED BY regress_bg_app, regress_bg_team, regress_bg_boss, regress_bg_outsider;
DROP ROLE regress_bg_app, regress_bg_team, regress_bg_boss, regress_bg_outsider;
