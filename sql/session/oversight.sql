-- What can be seen of sessions, counted about them, and done to those of other backends. The output is the same with the library
-- preloaded: what differs is compared with what should be.
SELECT current_setting('shared_preload_libraries') ~ '\mpllua_bg\M' OR current_setting('server_version_num')::int >= 170000 AS preloaded \gset
-- what earlier backends have counted is among the counts of the cluster when they are gone
DO LANGUAGE pllua_bg $$
    repeat
        spi.execute('select pg_stat_clear_snapshot()')
    until spi.execute("select count(*) = 0 as ok from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database() " ..
        "and backend_type in ('client backend', 'pllua_bg session')")[1].ok
$$;
SET client_min_messages = warning;
CREATE ROLE oversight_low LOGIN;
CREATE ROLE oversight_signaler LOGIN;
GRANT pg_signal_backend TO oversight_signaler;
GRANT USAGE ON SCHEMA bg TO oversight_low, oversight_signaler;
RESET client_min_messages;
\set VERBOSITY terse
SELECT bg.stat_reset();
-- the view
SELECT bg.launch(name => 'seen') AS pid \gset
SELECT bg.run(:pid, 'BEGIN'), bg.run(:pid, 'SELECT bg.progress(1, 3, ''one'')'), bg.run(:pid, 'SELECT 1/0'), bg.wait(:pid);
SELECT pid = :pid AS pid, name, role = current_user::regrole AS role, state, transaction, queued, sql, error,
    launcher = pg_backend_pid() AS launcher, database = current_database() AS database, server,
    launched_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS launched_at,
    progress_done, progress_total, progress_message
FROM bg.sessions;
SELECT count(*) FROM bg.backend_sessions();
SELECT count(*) FROM bg.other_sessions();
-- what is counted: every column by what was done
SELECT bg.run(:pid, 'ROLLBACK'), bg.run(:pid, 'SELECT generate_series(1, 10)'), bg.wait(:pid);
SELECT bg.run(:pid, 'SELECT pg_sleep(1000)'); -- workload
SELECT bg.cancel(:pid), bg.wait(:pid);
SELECT bg.launch(settings => '{no_such_setting=1}');
BEGIN;
SELECT bg.on_commit('SELECT 1');
COMMIT;
SELECT scope = CASE WHEN :'preloaded' THEN 'cluster' ELSE 'backend' END AS scope, launched, reused, jobs, launch_failures, lost, commands, errors, deadlocks, cancels, rows, bytes > 100 AS bytes,
    stats_reset BETWEEN now() - interval '1 minute' AND now() AS reset
FROM bg.stat;
CREATE TABLE oversight_lock (x int);
BEGIN;
LOCK TABLE oversight_lock;
SELECT bg.run(:pid, 'SELECT FROM oversight_lock'), bg.wait(:pid);
COMMIT;
DROP TABLE oversight_lock;
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    s:run('select pg_terminate_backend(pg_backend_pid())'):wait()
    repeat until s:status().state == 'gone'
    s:close()
    -- waits for the pool: a launch takes what is in it
    local pid
    repeat
        local again <close> = bg.launch()
        again:exec('select 1')
        local reused = again.pid == pid
        pid = again.pid
    until reused
$$;
SELECT lost, commands > 9 AS commands, errors >= 3 AS errors, deadlocks, reused > 0 AS reused, launched > 0 AS launched FROM bg.stat;
SELECT bg.stat_reset();
SELECT launched, reused, jobs, launch_failures, lost, commands, errors, deadlocks, cancels, rows, bytes FROM bg.stat;
-- who may
SET ROLE oversight_low;
SELECT launched FROM bg.stat;
SELECT bg.stat_reset();
RESET ROLE;
-- sessions of other backends: here, of a session; the view has them with preloading
SELECT bg.launch(settings => '{search_path=bg}') AS pid \gset
SELECT bg.run(:pid, 'SELECT launch()');
SELECT inner_pid FROM bg.result(:pid) AS (inner_pid int) \gset
SELECT bg.run(:pid, format('SELECT run(%s, ''SELECT pg_sleep(1000)''), wait(%1$s)', :inner_pid)); -- workload
CREATE FUNCTION await(worker int, condition text) RETURNS void LANGUAGE pllua_bg AS $$
    repeat
        spi.execute('select pg_stat_clear_snapshot()')
    until spi.execute('select ' .. condition .. ' as ok from (select count(*) as n, max(state) as state from pg_stat_activity ' ..
        "where pid = $1 and backend_type = 'pllua_bg session') a", worker)[1].ok
$$;
SELECT await(:inner_pid, $$state = 'active'$$);
SELECT count(*) = :'preloaded'::bool::int AS shown FROM bg.sessions
WHERE pid = :inner_pid AND launcher = :pid AND state = 'busy' AND sql LIKE 'SELECT pg_sleep%' AND queued = 1;
SELECT count(*) FROM bg.backend_sessions() WHERE pid = :inner_pid;
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION oversight_low;
SELECT bg.cancel(:inner_pid);
SELECT bg.terminate(:inner_pid);
SELECT bg.cancel(:pid);
SELECT bg.terminate(:pid);
SET SESSION AUTHORIZATION oversight_signaler;
SELECT bg.cancel(:inner_pid);
SELECT bg.terminate(:inner_pid);
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse
SELECT bg.cancel(:inner_pid);
SELECT bg.wait(:pid);
SELECT bg.run(:pid, format('SELECT * FROM result(%s) AS (x text)', :inner_pid));
SELECT * FROM bg.result(:pid) AS (x text);
SELECT bg.terminate(:inner_pid);
SELECT await(:inner_pid, 'n = 0');
\set VERBOSITY sqlstate
SELECT bg.terminate(:inner_pid);
\set VERBOSITY terse
-- one's own: the handle stays, and tells why
SELECT bg.terminate(:pid);
DO LANGUAGE pllua_bg 'repeat until bg.sessions()[1]:status().state == "gone"';
SELECT state, error FROM bg.backend_sessions();
SELECT bg.terminate(:pid), bg.cancel(:pid);
SELECT bg.close(:pid);
-- who may signal, may do so to sessions of other roles, but not to those of superusers
SET SESSION AUTHORIZATION oversight_low;
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'SELECT bg.launch()');
SELECT inner_pid FROM bg.result(:pid) AS (inner_pid int) \gset
RESET SESSION AUTHORIZATION;
SELECT await(:inner_pid, 'n = 1');
SET SESSION AUTHORIZATION oversight_signaler;
SELECT bg.terminate(:pid);
SELECT bg.terminate(:inner_pid);
RESET SESSION AUTHORIZATION;
SELECT await(:inner_pid, 'n = 0');
SELECT bg.close(:pid);
-- what is no session
\set VERBOSITY sqlstate
SELECT bg.terminate(pg_backend_pid());
SELECT bg.cancel(pid) FROM pg_stat_activity WHERE backend_type = 'checkpointer';
\set VERBOSITY terse
SELECT bg.cancel(0);
SELECT bg.terminate(-1);
SELECT bg.terminate(NULL);
SELECT bg.cancel(NULL);
-- the limit of a role has an effect with preloading; without, it warns
SET client_min_messages = error;
SET pllua_bg.max_sessions_per_role = 1;
CREATE FUNCTION second_launch() RETURNS text LANGUAGE pllua_bg AS $$
    local first <close> = bg.launch()
    local ok, second = pcall(bg.launch)
    if ok then second:close() end
    return ok and 'launched' or second.sqlstate
$$;
SELECT second_launch() = CASE WHEN :'preloaded' THEN '53400' ELSE 'launched' END AS right;
SELECT second_launch() = CASE WHEN :'preloaded' THEN '53400' ELSE 'launched' END AS again;
SET pllua_bg.max_sessions_per_role = 2;
SELECT second_launch();
SET pllua_bg.max_sessions_per_role = 0;
SELECT second_launch();
ALTER ROLE oversight_low SET pllua_bg.max_sessions_per_role = 1;
RESET client_min_messages;
SET pllua_bg.max_sessions_per_role = -1;
SET SESSION AUTHORIZATION oversight_low;
SET pllua_bg.max_sessions_per_role = 0;
RESET SESSION AUTHORIZATION;
SET pllua_bg.pool_size = 0;
DROP FUNCTION await, second_launch;
REVOKE USAGE ON SCHEMA bg FROM oversight_low, oversight_signaler;
DROP ROLE oversight_low, oversight_signaler;
