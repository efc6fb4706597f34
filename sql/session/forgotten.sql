-- Sessions whose handle was collected and whose pid nobody was told are let go, with one warning a statement.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
\set VERBOSITY terse
-- more than there may be, and more than there are slots
DO LANGUAGE pllua_bg $$
    for i = 1, 100 do pcall(function() local s = bg.launch() s:exec('select 1') error('x') end) end
    collectgarbage()
$$;
SELECT count(*) FROM bg.backend_sessions();
DO LANGUAGE pllua_bg $$ for i = 1, 16 do bg.launch():run('select 1') end print(bg.autonomous('select 42').value) collectgarbage() $$;
DO LANGUAGE pllua_bg $$ bg.launch() collectgarbage() $$;
-- what was sent is done
CREATE TABLE forgotten (i int);
DO LANGUAGE pllua_bg $$
    for i = 1, 3 do bg.launch():run('insert into forgotten values ($1)', i) end
    collectgarbage()
$$;
CREATE PROCEDURE await_rows(n bigint) LANGUAGE plpgsql AS $$
BEGIN
    WHILE (SELECT count(*) FROM forgotten) < n LOOP COMMIT; END LOOP;
END $$;
CALL await_rows(3);
-- one warning, at the end of the statement, or of the transaction
\set VERBOSITY default
CREATE FUNCTION without_pids(name text) RETURNS void LANGUAGE pllua_bg AS $$
    bg.launch{name = name}:exec('select 1')
    collectgarbage()
$$;
BEGIN;
SELECT without_pids('a') \g /dev/null
SELECT without_pids('b') \g /dev/null
SELECT count(*) FROM bg.backend_sessions();
\set VERBOSITY terse
COMMIT;
-- in a session, too: its messages come with the result
DO LANGUAGE pllua_bg $$
    local list = {}
    local s <close> = bg.launch{on_notice = function(n) list[#list + 1] = n end}
    s:exec("do language pllua_bg 'do local s = bg.launch{name = [[inner]]} s:exec([[select 1]]) end collectgarbage()'")
    print(#list, list[1].severity, list[1].message)
    print((list[1].detail:gsub('%d+', 'N')))
    print(list[1].hint)
$$;
-- not those that somebody may come back to: by pid(), s.pid, status(), tostring(), bg.sessions(), in SQL
CREATE FUNCTION kept(how text) RETURNS boolean LANGUAGE pllua_bg AS $$
    local count = 0
    local s = bg.launch{name = how, on_notice = function() count = count + 1 end}
    s:exec('select 1')
    seen = setmetatable({[s] = true}, {__mode = 'k'})
    if how == 'pid' then return s.pid > 0 end
    if how == 'status' then return s:status().pid > 0 end
    if how == 'text' then return tostring(s):find('pid') ~= nil end
    if how == 'list' then return #bg.sessions() > 0 end
    if how == 'view' then return #spi.execute('select pid from bg.sessions') > 0 end
    if how == 'found' then
        local pid = spi.execute("select pid from pg_stat_activity where application_name = 'found'")[1].pid
        return bg.session(pid) == s
    end
$$;
SELECT kept(how) FROM unnest('{pid,status,text,found}'::text[]) AS how;
DO LANGUAGE pllua_bg $$ collectgarbage() collectgarbage() $$;
SELECT kept('list');
DO LANGUAGE pllua_bg $$ collectgarbage() collectgarbage() $$;
SELECT kept('view');
DO LANGUAGE pllua_bg $$ collectgarbage() collectgarbage() $$;
SELECT name, state FROM bg.backend_sessions() ORDER BY 1;
-- with what the handle knows
DO LANGUAGE pllua_bg $$
    local pid = spi.execute("select pid from bg.backend_sessions() where name = 'pid'")[1].pid
    local s = bg.session(pid)
    print(s.name, bg.session(pid) == s, s:exec('select 1').value, s:exec([[do $x$ begin raise notice 'goes to on_notice'; end $x$]]).tag)
$$;
SELECT bg.close(pid) FROM bg.backend_sessions() \g /dev/null
-- nor those something else still holds
DO LANGUAGE pllua_bg $$
    local f = bg.launch():run('select 1')
    local st = bg.launch():prepare('select 2')
    local co = coroutine.wrap(function() local s <close> = bg.launch() while true do coroutine.yield(s:exec('select 3').value) end end)
    co()
    local n = 0
    local heard = bg.launch{on_notify = function(channel, payload) n = n + 1 end}
    heard:exec('listen heard')
    heard = nil
    collectgarbage()
    collectgarbage()
    bg.autonomous('notify heard')
    repeat bg.sleep(0.001) until n > 0
    print(f:get().value, st:exec().value, co(), n)
    for _, s in ipairs(bg.sessions()) do s:close() end
$$;
-- a resurrected handle, and one that is collected with what has a finalizer
DO LANGUAGE pllua_bg $$
    local back
    do
        local s = bg.launch()
        setmetatable({}, {__gc = function() back = s end})
    end
    collectgarbage()
    collectgarbage()
    local other <close> = bg.launch()
    print(back, pcall(back and back.exec or error, back, 'select 1'))
$$;
-- one that has ended already is no loss
DO LANGUAGE pllua_bg $$
    local s = bg.launch()
    pcall(s.exec, s, 'select pg_terminate_backend(pg_backend_pid())')
    s = nil
    collectgarbage()
$$;
SELECT count(*) FROM bg.backend_sessions();
-- how to make room
\set VERBOSITY default
SET pllua_bg.max_sessions = 1;
DO LANGUAGE pllua_bg $$
    local a = bg.launch()
    local ok, e = pcall(bg.launch)
    print(e.sqlstate, e.message, e.hint)
    a:close()
$$;
RESET pllua_bg.max_sessions;
-- a launch in SQL makes room, too, of the garbage of all interpreters, without running finalizers of user code
\set VERBOSITY terse
SET pllua_bg.max_sessions = 4;
CREATE FUNCTION forget_all(finalizer boolean DEFAULT false) RETURNS void LANGUAGE pllua_bg AS $$
    collectgarbage('stop')
    for i = 1, 4 do bg.launch():exec('select 1') end
    if finalizer then setmetatable({}, {__gc = function() print('a finalizer') end}) end
    collectgarbage('restart')
$$;
CREATE FUNCTION launch_and_close() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM bg.close(bg.launch(wait => 0)); END $$;
SELECT forget_all() \g /dev/null
SELECT launch_and_close() \g /dev/null
SELECT forget_all(true) \g /dev/null
SELECT launch_and_close() \g /dev/null
DO LANGUAGE pllua_bg $$ collectgarbage() $$;
SELECT forget_all() \g /dev/null
SELECT bg.close(pg_background_launch()) \g /dev/null
DO LANGUAGE pllua_bgu $$ collectgarbage('stop') for i = 1, 4 do bg.launch():exec('select 1') end $$;
SELECT launch_and_close() \g /dev/null
DO LANGUAGE pllua_bgu $$ for i = 1, 4 do bg.launch():exec('select 1') end $$;
DO LANGUAGE pllua_bg $$ print(bg.autonomous('select 43').value) $$;
DO LANGUAGE pllua_bgu $$ collectgarbage('restart') $$;
CREATE ROLE regress_forgetful LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_forgetful;
SET ROLE regress_forgetful;
SELECT forget_all() \g /dev/null
RESET ROLE;
SELECT launch_and_close() \g /dev/null
-- what somebody holds stays
DO LANGUAGE pllua_bg $$
    local held = {}
    for i = 1, 4 do held[i] = bg.launch() held[i]:exec('select 1') end
    print(pcall(spi.execute, 'select bg.launch()'))
    for _, s in ipairs(held) do s:close() end
$$;
SELECT count(*) FROM bg.backend_sessions();
DROP OWNED BY regress_forgetful;
DROP ROLE regress_forgetful;
RESET pllua_bg.max_sessions;
DROP FUNCTION forget_all(boolean), launch_and_close();
RESET statement_timeout;
DROP TABLE forgotten;
DROP PROCEDURE await_rows(bigint);
DROP FUNCTION without_pids(text), kept(text);
