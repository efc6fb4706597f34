-- What the server does about a client that is silent or lost is off in sessions: wherever it was set, unless the session is given it.
SET statement_timeout = '60s';
CREATE FUNCTION client_settings(s int) RETURNS text LANGUAGE pllua_bg AS $$
    local r = bg.session(s):exec([[select string_agg(name || '=' || setting, ' ' order by name) from pg_settings
        where name ~ '^tcp_|^idle_(session|in_trans)|^client_connection_check']])
    return r.value
$$;
SET idle_session_timeout = '1h';
SET idle_in_transaction_session_timeout = '50ms';
SET client_connection_check_interval = '1s';
SET tcp_keepalives_idle = 7;
SET tcp_user_timeout = 7;
DO LANGUAGE pllua_bg $$
    spi.execute("set idle_session_timeout = '50ms'")
    local s <close> = bg.launch()
    local t <close> = bg.launch()
    s:exec('select 1')
    t:begin()
    bg.sleep(0.2)
    print(s:exec([[select 'alive']]).value, t:exec([[select 'in its transaction']]).value)
    t:commit()
    spi.execute("set idle_session_timeout = '1h'") -- psql is idle soon
$$;
SELECT bg.launch() AS pid \gset
SELECT client_settings(:pid);
-- nor by RESET, nor in a session that is used again
SELECT bg.run(:pid, 'RESET ALL'), bg.wait(:pid);
SELECT client_settings(:pid);
SELECT bg.run(:pid, 'SET tcp_user_timeout = 8'), bg.wait(:pid);
SELECT bg.close(:pid);
SELECT bg.launch() AS pid \gset
SELECT client_settings(:pid);
SELECT bg.close(:pid);
-- nor when they are those of the role
RESET ALL;
CREATE ROLE client_role LOGIN;
ALTER ROLE client_role SET idle_session_timeout = '300ms';
ALTER ROLE client_role SET idle_in_transaction_session_timeout = '300ms';
ALTER ROLE client_role SET tcp_keepalives_count = 7;
GRANT USAGE ON SCHEMA bg TO client_role;
SET ROLE client_role;
SELECT bg.launch() AS pid \gset
SELECT client_settings(:pid);
SELECT bg.close(:pid);
RESET ROLE;
-- a session may be given them
SELECT bg.launch(settings => '{idle_in_transaction_session_timeout=20ms,idle_session_timeout=1h,tcp_user_timeout=9}') AS pid \gset
SELECT client_settings(:pid);
SELECT bg.close(:pid);
DO LANGUAGE pllua_bg $$
    local s = bg.launch{settings = {idle_session_timeout = '20ms'}}
    pcall(s.exec, s, 'select 1') -- unless it has idled too long before
    repeat bg.sleep(0.005) until s:status().state == 'gone'
    print(s:status().error)
    s:close()
    -- idle_timeout takes its place
    s = bg.launch{settings = {idle_session_timeout = '20ms'}, idle_timeout = 1000}
    s:exec('select 1')
    bg.sleep(0.2)
    print(s:exec([[select 'alive']]).value)
    s:exec([[set idle_session_timeout = '20ms']])
    bg.sleep(0.2)
    print(s:exec([[select 'alive']]).value)
    s:close()
    s = bg.launch{idle_timeout = 0.02, settings = {idle_session_timeout = '1h'}}
    pcall(s.exec, s, 'select 1')
    repeat bg.sleep(0.005) until s:status().state == 'gone'
    print(s:status().error)
    s:close()
$$;
-- no server has one that nobody has decided on: src/session/shared/guc_transfer.cpp, docs/settings.md
SELECT name FROM pg_settings
WHERE context IN ('user', 'superuser') AND (name ~ '^(tcp|idle)_|_timeout$|keepalive|connection_check' OR category ~ 'TCP Settings$')
    AND name !~ '^tcp_keepalives_(count|idle|interval)$|^tcp_user_timeout$|^idle_(session|in_transaction_session)_timeout$|^client_connection_check_interval$'
    AND name NOT IN ('deadlock_timeout', 'lock_timeout', 'statement_timeout', 'transaction_timeout', 'wal_receiver_timeout', 'wal_sender_timeout', 'wal_sender_shutdown_timeout');
-- transaction_timeout, which servers have from 17 on, is about the work: it follows, and ends the session
DO LANGUAGE pllua_bg $$
    if not spi.execute("select current_setting('transaction_timeout', true) as t")[1].t then
        print('1h')
        return print('08006', 'terminating connection due to transaction timeout')
    end
    spi.execute("select set_config('transaction_timeout', '1h', false)")
    do local s <close> = bg.launch() print(s:exec('show transaction_timeout').value) end
    local s <close> = bg.launch{settings = {transaction_timeout = '100ms'}}
    s:begin()
    local _, e = pcall(s.exec, s, 'select pg_sleep(60)') -- workload
    print(e.sqlstate, e.detail)
$$;
-- those that are about statements, and what is logged, follow
SET lock_timeout = '7s';
SET log_statement = 'ddl';
SET client_min_messages = 'error';
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    for _, name in ipairs{'lock_timeout', 'log_statement', 'client_min_messages'} do print(name, s:exec('show ' .. name).value) end
$$;
RESET ALL;
DROP FUNCTION client_settings(int);
REVOKE USAGE ON SCHEMA bg FROM client_role;
DROP ROLE client_role;
