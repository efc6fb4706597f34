-- The pool: sessions that were let go are used again, and nothing of their last use is left.
SET client_min_messages = warning;
CREATE ROLE pool_other LOGIN;
CREATE ROLE pool_member;
CREATE ROLE pool_user LOGIN IN ROLE pool_member;
GRANT USAGE ON SCHEMA bg TO pool_user, pool_other;
CREATE TABLE pool_log (what text);
GRANT ALL ON pool_log TO pool_user;
CREATE PROCEDURE wait_for(condition text) LANGUAGE pllua_bg AS $$
    local limit = bg.now() + 60
    repeat
        spi.execute('select pg_stat_clear_snapshot()')
        if spi.execute('select ' .. condition .. ' as ok')[1].ok then return end
        bg.sleep(0.005)
    until bg.now() > limit
    error('in vain: ' .. condition)
$$;
-- Waits until so many workers are in the pool, ready to be used again.
CREATE PROCEDURE wait_for_pool(n int) LANGUAGE pllua_bg AS $$
    spi.execute('call wait_for($1)', "(select count(*) from pg_stat_activity " ..
        "where application_name = 'pllua_bg pool' and state = 'idle') = " .. n)
$$;
RESET client_min_messages;
SET pllua_bg.pool_lifetime = '1h';

\set workers '(SELECT count(*) FROM pg_stat_activity WHERE backend_type = ''pllua_bg session'' AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()))'
\set pooled '(SELECT count(*) FROM pg_stat_activity WHERE application_name = ''pllua_bg pool'')'
-- Those of the session before, which may not be quite gone, do not count.
CALL wait_for(:'pooled' || ' = 0');

-- A session that is let go idle is the next one; numbers of commands begin anew, handles do not live on.
DO LANGUAGE pllua_bg $$
    local a = bg.launch{name = 'first'}
    a:exec('select 1')
    local pid = a.pid
    print('detach', a:detach(), #bg.sessions(), bg.session(pid), a:status().state)
    spi.execute('call wait_for_pool(1)')
    local b = bg.launch()
    print('the same worker', b.pid == pid, b == a, b.name, a:status().state, a:detach())
    print(b:exec('show application_name').value, b:status().state, b:status().error)
    b:close()
    spi.execute('call wait_for_pool(1)')
    local c <close> = bg.launch{name = 'third'}
    print('after close', c.pid == pid, c.name, c:exec('show application_name').value)
$$;
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'SELECT 1') AS number;
SELECT bg.close(:pid);

-- What a session may leave behind.
CREATE FUNCTION session_state() RETURNS TABLE (what text, value text) LANGUAGE sql AS $$
    VALUES ('user', session_user || ' ' || current_user),
        ('work_mem', current_setting('work_mem')), ('own', current_setting('pool.own', true)),
        ('search_path', current_setting('search_path')), ('read_only', current_setting('transaction_read_only')),
        ('isolation', current_setting('transaction_isolation')), ('role', current_setting('role')),
        ('temp tables', (SELECT count(*)::text FROM pg_class WHERE relnamespace = pg_my_temp_schema())),
        ('prepared', (SELECT count(*)::text FROM pg_prepared_statements)),
        ('cursors', (SELECT count(*)::text FROM pg_cursors WHERE name <> '')),
        ('listening', (SELECT count(*)::text FROM pg_listening_channels())),
        ('locks', (SELECT count(*)::text FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid < 3)),
        ('replication slots', (SELECT count(*)::text FROM pg_replication_slots WHERE active_pid = pg_backend_pid()))
$$;
CREATE SEQUENCE pool_sequence;
DO LANGUAGE pllua_bg $$
    local a <close> = bg.launch{settings = {work_mem = '1MB', ['pool.own'] = 'asked'}}
    local function show(s, title)
        print(title)
        for row in s:rows('select * from session_state()') do print('', row.what, row.value) end
    end
    local pid = a.pid
    a:exec("select pg_create_physical_replication_slot('pool_slot', false, true)")
    a:exec([[set search_path = pg_catalog, public; set session characteristics as transaction read only, isolation level serializable;
        listen pool_channel; select pg_advisory_lock(1), pg_advisory_lock(2, 3)]])
    a:exec('begin read write')
    a:exec('declare held cursor with hold for select 1')
    a:exec('create temp table leftover as select 1')
    a:exec('prepare leftover as select 1')
    a:exec("select nextval('pool_sequence'), set_config('pool.own', 'set', false)")
    a:exec('set role pool_member')
    a:exec('commit')
    show(a, 'before')
    a:run('notify pool_channel')
    a:exec('select 1')
    a:detach()
    spi.execute('call wait_for_pool(1)')
    local b <close> = bg.launch()
    print('the same worker', b.pid == pid)
    show(b, 'after')
    print(pcall(b.exec, b, "select currval('pool_sequence')"))
    print(pcall(b.exec, b, 'execute leftover'))
    print(select('#', bg.result(b)), b:status().queued)
$$;
-- Settings and read-only of the launcher are taken over anew; those of the last use are not.
SET work_mem = '3MB';
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{settings = {enable_seqscan = 'off'}}
    print(s:exec('show work_mem').value, s:exec('show enable_seqscan').value)
$$;
RESET work_mem;
SET statement_timeout = '1h';
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    print(s:exec('show work_mem').value, s:exec('show enable_seqscan').value, s:exec('show statement_timeout').value)
$$;
RESET statement_timeout;

SET pllua_bg.pool_size = 0;
CALL wait_for(:'workers' || ' = 0');
RESET pllua_bg.pool_size;
-- Nobody else gets it: the pool goes by user and by options that cannot change.
DO LANGUAGE pllua_bg $$
    local first <close> = bg.launch()
    local pid = first.pid
    first:exec('')
    first:close()
    spi.execute('set pllua_bg.pool_size = 10')
    local n = 0
    local function launch(what, options)
        n = n + 1
        spi.execute('call wait_for_pool($1)', n)
        if what == 'other user' then spi.execute('set role pool_user') end
        local s <close> = bg.launch(options)
        s:exec('select 1')
        print(what, s.pid == pid)
    end
    launch('other user')
    spi.execute('reset role')
    launch('other idle timeout', {idle_timeout = 1000})
    launch('other queue size', {queue_size = 65536})
    launch('the same')
$$;
RESET pllua_bg.pool_size;

-- One that is not idle and clean ends, as it always did.
SET pllua_bg.pool_size = 0;
CALL wait_for(:'workers' || ' = 0');
RESET pllua_bg.pool_size;
DO LANGUAGE pllua_bg $$
    local function let_go(what, fn)
        local s <close> = bg.launch()
        s:exec('')
        local pid = s.pid
        fn(s)
        s:detach()
        -- it has ended, or is ready to be used again
        spi.execute('call wait_for($1)', "not exists (select from pg_stat_activity where pid = " .. pid ..
            " and (application_name <> 'pllua_bg pool' or state <> 'idle'))")
        local again <close> = bg.launch()
        again:exec('')
        print(what, again.pid == pid)
        spi.execute('set pllua_bg.pool_size = 0')
        spi.execute('reset pllua_bg.pool_size')
    end
    let_go('in a transaction', function(s) s:exec('begin') end)
    let_go('in a failed transaction', function(s) s:exec('begin') pcall(s.exec, s, 'select 1/0') end)
    let_go('cancelled', function(s)
        local f = s:run('select pg_sleep(1000)') -- workload
        f:cancel()
        print(pcall(f.get, f))
    end)
    let_go('busy', function(s) 
        s:run("insert into pool_log select 'was finished' from pg_sleep(0.2)") -- workload
    end)
    let_go('after an error', function(s) pcall(s.exec, s, 'select 1/0') end)
    let_go('grown large', function(s) s:exec("do language pllua_bg '_G.kept = string.rep([[x]], 80000000)'") end)
    let_go('grown large here', function(s)
        s:exec("listen pool_channel; select count(pg_notify('pool_channel', repeat('x', 100) || i)) from generate_series(1, 10000) i")
        s:exec('')
    end)
    let_go('role changed', function(s) spi.execute('alter role ' .. s:exec('select quote_ident(current_user)').value .. ' connection limit -1') end)
$$;
CALL wait_for('(SELECT count(*) FROM pool_log) = 1');
-- One that is too old ends, when it is let go and when it waits for its next use.
DO LANGUAGE pllua_bg $$
    local older = "select clock_timestamp() - $1::timestamptz > '1 s' as ok"
    for _, in_the_pool in ipairs{false, true} do
        local s <close> = bg.launch()
        local pid = s.pid
        s:exec('')
        local since = spi.execute('select clock_timestamp()::text as now')[1].now
        if in_the_pool then
            s:close()
            spi.execute('call wait_for_pool(1)')
        end
        repeat bg.sleep(0.01) until spi.execute(older, since)[1].ok
        spi.execute("set pllua_bg.pool_age = '1s'")
        s:close()
        local again <close> = bg.launch()
        again:exec('')
        print('old', in_the_pool, again.pid == pid)
        spi.execute('reset pllua_bg.pool_age')
        again:close()
        spi.execute('set pllua_bg.pool_size = 0')
        spi.execute('reset pllua_bg.pool_size')
    end
$$;

-- Sessions in the pool do not count, and are not shown.
DO LANGUAGE pllua_bg $$
    spi.execute('set pllua_bg.max_sessions = 1')
    for i = 1, 3 do
        local s <close> = bg.launch()
        s:exec('')
    end
    print(#bg.sessions(), spi.execute('select count(*) as n from bg.sessions')[1].n)
$$;
RESET pllua_bg.max_sessions;
-- Their number is bounded, and they end at once when the setting drops.
DO LANGUAGE pllua_bg $$
    local sessions = {}
    for i = 1, 4 do
        sessions[i] = bg.launch()
        sessions[i]:exec('')
    end
    for i = 1, 4 do sessions[i]:detach() end
$$;
CALL wait_for(:'workers' || ' = 2 AND ' || :'pooled' || ' = 2');
SET pllua_bg.pool_size = 1;
CALL wait_for(:'workers' || ' = 1');
SET pllua_bg.pool_size = 0;
CALL wait_for(:'workers' || ' = 0');
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
CALL wait_for(:'workers' || ' = 0');
RESET pllua_bg.pool_size;
-- A worker ends by itself after its time; the next launch has another.
SET pllua_bg.pool_lifetime = '1s';
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
SET pllua_bg.pool_lifetime = '1h';
CALL wait_for(:'workers' || ' = 0');
DO LANGUAGE pllua_bg $$ print(bg.autonomous('select 1').value) $$;
-- One that was terminated in the pool is not used.
CALL wait_for_pool(1);
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'pllua_bg pool';
DO LANGUAGE pllua_bg $$ print(bg.autonomous('select 2').value) $$;

-- The role of a session in the pool is changed, loses its right, is dropped.
SET SESSION AUTHORIZATION pool_user;
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
RESET SESSION AUTHORIZATION;
CALL wait_for('(SELECT count(*) FROM pg_stat_activity WHERE usename = ''pool_user'') = 1');
ALTER ROLE pool_user CREATEDB;
CALL wait_for('(SELECT count(*) FROM pg_stat_activity WHERE usename = ''pool_user'') = 0');
SET SESSION AUTHORIZATION pool_user;
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
RESET SESSION AUTHORIZATION;
-- Who may not connect any more gets no session of the pool either.
SELECT current_database() AS db \gset
CALL wait_for('(SELECT count(*) FROM pg_stat_activity WHERE usename = ''pool_user'' AND application_name = ''pllua_bg pool'' AND state = ''idle'') = 1');
REVOKE CONNECT ON DATABASE :"db" FROM PUBLIC;
SET SESSION AUTHORIZATION pool_user;
DO LANGUAGE pllua_bg $$
    local ok, e = pcall(bg.autonomous, 'select 1')
    print(ok, e.sqlstate, (e.detail:gsub('".*"', 'DB')))
$$;
RESET SESSION AUTHORIZATION;
GRANT CONNECT ON DATABASE :"db" TO PUBLIC;
REVOKE USAGE ON SCHEMA bg FROM pool_user;
SET SESSION AUTHORIZATION pool_user;
DO LANGUAGE pllua_bg $$ print(pcall(bg.autonomous, 'select 1')) $$;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION pool_other;
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON SCHEMA bg FROM pool_other;
DROP ROLE pool_other;
CALL wait_for('(SELECT count(*) FROM pg_stat_activity WHERE application_name = ''pllua_bg pool'' AND usename IS NULL) = 0');

-- Sessions of a session end with its use.
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    print(s:exec('select bg.launch() > 0').value)
    s:detach()
$$;
CALL wait_for('(SELECT count(*) FROM pg_stat_activity WHERE backend_type = ''pllua_bg session'' AND application_name <> ''pllua_bg pool'' AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())) = 0');

SET pllua_bg.pool_size = 0;
DROP FUNCTION session_state;
DROP PROCEDURE wait_for_pool, wait_for;
DROP TABLE pool_log;
DROP SEQUENCE pool_sequence;
REVOKE USAGE ON SCHEMA bg FROM pool_user;
DROP ROLE pool_user, pool_member;
