-- What bg.stat counts, a cause at a time: what changes by it, and nothing else. The output is the same with the library preloaded.
SET client_min_messages = warning;
SET pllua_bg.pool_size = 0; -- each launch starts a worker, unless said otherwise
SET pllua_bg.max_sessions = 100;
-- what earlier backends have counted is among the counts of the cluster when they are gone
CREATE FUNCTION alone() RETURNS void LANGUAGE pllua_bg AS $$
    repeat
        spi.execute('select pg_stat_clear_snapshot()')
    until spi.execute("select count(*) = 0 as ok from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database() " ..
        "and backend_type in ('client backend', 'pllua_bg session')")[1].ok
$$;
-- The columns that are others than in the row of text before, with the difference.
CREATE FUNCTION changes(before text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s +%s', n.key, n.value::bigint - o.value::bigint), ', ' ORDER BY n.key COLLATE "C")
    FROM bg.stat s, jsonb_each_text(to_jsonb(s)) n JOIN jsonb_each_text(before::jsonb) o USING (key)
    WHERE n.key NOT IN ('scope', 'stats_reset', 'rows', 'bytes', 'commands') AND n.value <> o.value
$$;
SELECT alone();
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ bg.launch():close() $$;
SELECT changes(:'before') AS a_launch;
SET pllua_bg.pool_size = 1;
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$
    local pid
    repeat -- until it has come back to the pool
        local again <close> = bg.launch()
        again:exec('select 1')
        local reused = again.pid == pid
        pid = again.pid
    until reused
$$;
SELECT changes(:'before') ~ 'reused' AS from_the_pool;
SET pllua_bg.pool_size = 0;
-- launches that fail
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ pcall(bg.launch, {settings = {no_such_setting = 1}}) $$;
SELECT changes(:'before') AS no_such_setting;
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$
    local held, ok, e = {}
    repeat
        ok, e = pcall(bg.launch, {wait = 0})
        if ok then held[#held + 1] = e end
    until not ok
    print(e.sqlstate)
    for _, s in ipairs(held) do s:close() end
$$;
SELECT regexp_replace(changes(:'before'), 'launched \+\d+', 'launched') AS no_slot_is_free;
-- commands that fail
SELECT FROM bg.launch();
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ local s = bg.sessions()[1] s:run('select 1/0'):wait() $$;
SELECT changes(:'before') AS an_error;
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    local f = s:run('select pg_sleep(1000)') -- workload
    repeat until s:status().state == 'busy'
    f:cancel()
    f:wait()
$$;
SELECT changes(:'before') AS cancelled_by_its_launcher;
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ local s = bg.sessions()[1] s:exec("begin; set local statement_timeout = '10ms'") s:run('select pg_sleep(1000)'):wait() $$; -- workload
SELECT changes(:'before') AS cancelled_by_a_timeout;
DO LANGUAGE pllua_bg $$ local s = bg.sessions()[1] s:exec('rollback') $$;
CREATE TABLE stat_lock (x int);
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
BEGIN;
LOCK TABLE stat_lock;
DO LANGUAGE pllua_bg $$ local s = bg.sessions()[1] s:run('select from stat_lock'):wait() $$;
COMMIT;
SELECT changes(:'before') AS a_deadlock;
DROP TABLE stat_lock;
-- a session that ends by an error, and one that somebody ends
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    s:run('select pg_terminate_backend(pg_backend_pid())'):wait()
    repeat until s:status().state == 'gone'
    s:close()
$$;
SELECT changes(:'before') AS terminated;
-- workers of bg.map
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ bg.map({1, 2, 0, 4, 0}, 'select 8 / $1', {workers = 2, errors = 'collect'}) $$;
SELECT changes(:'before') AS two_items_of_a_map_fail;
-- work after the commit: its worker, its errors, its commands
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
CREATE FUNCTION commit_errors_since(before text, n int) RETURNS void LANGUAGE pllua_bg AS $$
    repeat
        local ok = spi.execute("select commit_errors >= ($1::jsonb ->> 'commit_errors')::int + $2 as ok from bg.stat", before, n)[1].ok
    until ok
$$;
BEGIN;
SELECT bg.on_commit('select 1/0');
SELECT bg.on_commit('select 1');
SELECT bg.on_commit('select no_such_column');
COMMIT;
SELECT commit_errors_since(:'before', 2);
SELECT changes(:'before') AS two_errors_after_the_commit;
SELECT (s.commands - (:'before'::jsonb ->> 'commands')::bigint) AS commands FROM bg.stat s;
-- in another database, and on another server
SELECT alone();
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch{database = 'template1'} pcall(s.exec, s, 'select 1') $$;
SELECT changes(:'before') AS in_another_database;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER stat_self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'HOST', port :'PORT', dbname :'DBNAME');
CREATE USER MAPPING FOR CURRENT_USER SERVER stat_self OPTIONS (user :'USER');
SELECT to_jsonb(s) AS before FROM bg.stat s \gset
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch{server = 'stat_self'} s:exec('select 1') pcall(s.exec, s, 'select 1/0') $$;
SELECT changes(:'before') AS on_another_server;
DROP SERVER stat_self CASCADE;
DROP FUNCTION alone, changes, commit_errors_since;
