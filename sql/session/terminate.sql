-- session:terminate, bg.terminate: the end of a worker as by pg_terminate_backend; the handle stays and knows why.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
DO LANGUAGE pllua_bg $$
    local function ended(session) repeat bg.sleep(0.001) until session:status().state == 'gone' end
    local s = bg.launch()
    local before, running, behind = s:run('select 1'), s:run('select pg_sleep(1000)'), s:run('select 2') -- workload
    print(before:get().value, s:terminate())
    for _, f in ipairs{running, behind} do
        local _, e = f:try()
        print(e.sqlstate, e.message, e.detail)
    end
    ended(s)
    print(s:status().state, s:status().error, s:terminate())
    print(pcall(s.run, s, 'select 1'))
    print(s:close(), s:terminate(), s:status().state)
    -- by its pid, in a transaction, while starting
    local t <close> = bg.launch()
    t:begin()
    t:exec('create table never ()')
    print(bg.terminate(t.pid))
    ended(t)
    print(pcall(t.exec, t, 'commit'))
    print(spi.execute("select to_regclass('never') as found")[1].found)
    local u <close> = bg.launch()
    print(bg.terminate(u))
    ended(u)
    print(pcall(u.exec, u, 'select 1'))
    print(pcall(bg.terminate, 1))
    print(pcall(bg.terminate, 'x'))
$$;
-- not for those who are no members of its user
CREATE ROLE regress_bg_term LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_term;
SELECT bg.launch() AS pid \gset
SET ROLE regress_bg_term;
SELECT set_config('my.pid', :'pid', false) IS NOT NULL AS ok;
DO LANGUAGE pllua_bg $$ bg.terminate(tonumber(spi.execute("select current_setting('my.pid') p")[1].p)) $$;
RESET ROLE;
SELECT state <> 'gone' AS lives FROM bg.backend_sessions();
SELECT bg.close(:pid);
DROP OWNED BY regress_bg_term;
DROP ROLE regress_bg_term;
RESET statement_timeout;
