-- DISCARD ALL ends the sessions of the backend and its pool.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
CREATE FUNCTION workers() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_stat_clear_snapshot();
    RETURN (SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('discarded', 'pllua_bg pool'));
END $$;
CREATE PROCEDURE await_workers(n bigint) LANGUAGE plpgsql AS $$
BEGIN
    WHILE workers() <> n LOOP END LOOP;
END $$;
-- before there is any session
DISCARD ALL;
SET statement_timeout = '60s';

-- a busy one with on_exit = 'finish', an idle one with a table of its own, one in a transaction, one just launched
CREATE FUNCTION held(discarded boolean) RETURNS void LANGUAGE pllua_bg AS $$
    if discarded then return look() end
    held = {}
    held.busy = bg.launch{name = 'discarded'}
    held.future = held.busy:run('select pg_sleep(1000)') -- workload
    held.idle = bg.launch{name = 'discarded'}
    held.idle:exec('create temp table secret as select 1')
    held.statement = held.idle:prepare('select 1')
    held.open = bg.launch{name = 'discarded'}
    held.open:exec('begin')
    held.open:exec('create temp table secret as select 1')
    held.pid = held.idle.pid
end
function look()
    for _, s in ipairs{held.busy, held.idle, held.open} do
        print(s, s.pid, s.name, s:status().state)
        local ok, e = pcall(s.exec, s, 'select 1')
        print(e.sqlstate, e.message, e.hint)
        s:close()
        s:detach()
    end
    print(held.future:done(), select(2, pcall(held.future.get, held.future)))
    print(select(2, pcall(held.statement.exec, held.statement)))
    print(held.idle:result())
    print(#bg.sessions(), bg.session(held.pid), bg.status(held.pid).state)
    -- one that is closed otherwise says nothing of it
    local s = bg.launch()
    s:close()
    local ok, e = pcall(s.exec, s, 'select 1')
    print(e.sqlstate, e.message, e.hint)
$$;
SELECT held(false);
SELECT bg.launch('discarded') AS pid \gset
SELECT count(*) FROM bg.backend_sessions();
DISCARD ALL;
SET statement_timeout = '60s';
SELECT count(*) FROM bg.backend_sessions();
CALL await_workers(0);
SELECT held(true);

-- the pool
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select 1') $$;
CALL await_workers(1);
DISCARD ALL;
SET statement_timeout = '60s';
CALL await_workers(0);

-- not what others of its kind do, nor one that fails
SELECT bg.launch('discarded') AS pid \gset
RESET ALL;
SET statement_timeout = '60s';
DISCARD PLANS;
DISCARD SEQUENCES;
DISCARD TEMP;
RESET SESSION AUTHORIZATION;
BEGIN;
DISCARD ALL;
ROLLBACK;
-- the words differ by version
\set VERBOSITY sqlstate
DO $$ BEGIN EXECUTE 'DISCARD ALL'; END $$;
\set VERBOSITY default
SELECT count(*) FROM bg.backend_sessions();

-- DISCARD ALL in a session ends the sessions of that session, not itself
CREATE FUNCTION nest() RETURNS bigint LANGUAGE pllua_bg AS $$
    held = bg.launch{name = 'discarded'}
    held:exec('select 1')
    local s <close> = bg.launch()
    s:exec('select 1')
    return #bg.sessions()
$$;
CREATE FUNCTION in_session(pid int, sql text) RETURNS text LANGUAGE pllua_bg AS $$
    return tostring(bg.session(pid):exec(sql).value)
$$;
SELECT in_session(:pid, 'SELECT nest()');
SELECT in_session(:pid, 'DISCARD ALL');
SELECT in_session(:pid, 'SELECT count(*) FROM bg.backend_sessions()'), bg.wait(:pid);
SELECT in_session(:pid, $$SET application_name = 'discarded'$$);
CALL await_workers(1);
-- so does what happens to one before it is used again
SELECT in_session(:pid, 'SELECT nest()');
SELECT bg.close(:pid);
CALL await_workers(1);
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    print(s:exec('select count(*) from bg.backend_sessions()').value)
$$;
-- work that was committed goes on
CREATE TABLE discarded_done (i int);
BEGIN;
SELECT bg.on_commit('insert into discarded_done values (1)');
COMMIT;
DISCARD ALL;
SET statement_timeout = '60s';
CREATE PROCEDURE await_done() LANGUAGE plpgsql AS $$
BEGIN
    WHILE (SELECT count(*) FROM discarded_done) = 0 LOOP COMMIT; END LOOP;
END $$;
CALL await_done();
RESET statement_timeout;
DROP TABLE discarded_done;
DROP PROCEDURE await_workers(bigint), await_done();
DROP FUNCTION workers(), held(boolean), nest(), in_session(int, text);
