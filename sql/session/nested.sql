-- Sessions that launch sessions: they work, they end with the one above, and there is a limit.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
CREATE FUNCTION dig(level int) RETURNS text LANGUAGE pllua_bg AS $$
    local ok, r = pcall(function()
        local s <close> = bg.launch()
        return s:exec('select dig($1)', level + 1).value
    end)
    if ok then return r end
    return table.concat({level, r.sqlstate, r.message, r.detail, r.hint}, ' | ')
$$;
SELECT dig(0);
SET pllua_bg.max_depth = 1;
SELECT dig(0);
SET pllua_bg.max_depth = 6;
SELECT dig(0);
SET pllua_bg.max_depth = 0;
RESET pllua_bg.max_depth;
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{settings = {['pllua_bg.max_depth'] = 1}}
    print(pcall(s.exec, s, 'select bg.launch()'))
    print(pcall(s.exec, s, [[select bg.on_commit('select 1')]]))
    print(s:exec('select 1').value)
    -- one of the pool is at the same level
    s:exec('reset pllua_bg.max_depth')
    print(s:exec('select dig(1)').value)
$$;
SELECT dig(0);

-- When the top ends, all below end.
CREATE FUNCTION grow(levels int, on_exit text) RETURNS text LANGUAGE pllua_bg AS $$
    below = bg.launch{name = 'nested ' .. levels, on_exit = on_exit}
    if levels == 1 then
        below:exec('select 1') -- it has started
        if on_exit == 'cancel' then below:run('select pg_sleep(1000)') end -- workload
        return 'grown'
    end
    return below:exec('select grow($1, $2)', levels - 1, on_exit).value
$$;
CREATE FUNCTION living() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_stat_clear_snapshot();
    RETURN (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'nested%');
END $$;
CREATE PROCEDURE wait_for_end() LANGUAGE plpgsql AS $$
BEGIN
    WHILE living() > 0 LOOP END LOOP;
END $$;
DO LANGUAGE pllua_bg $$
    for _, on_exit in ipairs{'finish', 'cancel'} do
        for how, stop in ipairs{
            function(s) s:close() end,
            function(s) s:detach() end,
            function(s) s:terminate() end,
            function(s) s:exec('select bg.close(pid) from bg.sessions where launcher = pg_backend_pid()') s:close() end,
        } do
            local s = bg.launch{name = 'nested top', on_exit = on_exit}
            local grown = s:exec('select grow(2, $1)', on_exit).value
            print(on_exit, how, grown, spi.execute('select living()')[1].living)
            stop(s)
            spi.execute('call wait_for_end()')
        end
    end
$$;
-- by an error in between
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{name = 'nested top'}
    s:exec([[select grow(2, 'cancel')]])
    local below = s:exec([[select pid from bg.sessions where launcher = pg_backend_pid()]]).value
    spi.execute('select pg_terminate_backend($1)', below)
    repeat local r = spi.execute('select living()')[1].living until r == 1
    print(s:exec('select state from bg.sessions where launcher = pg_backend_pid()').value)
$$;
CALL wait_for_end();
RESET statement_timeout;
DROP FUNCTION dig(int), grow(int, text), living();
DROP PROCEDURE wait_for_end();
