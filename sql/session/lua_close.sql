-- The ends of a session: scope, close, detach, and what becomes of handles and futures.
set pllua_bg.pool_size = 0;
create table log (v text);
create function wait_until(condition text) returns void language pllua_bg as $$
    local limit = bg.now() + 60
    while not spi.execute('select ' .. condition .. ' as ok')[1].ok do
        if bg.now() > limit then error('never: ' .. condition) end
        bg.sleep(0.005)
    end
$$;
create function workers() returns bigint language sql as
    $$select count(*) from pg_stat_activity where backend_type = 'pllua_bg session'$$;

-- leaving the scope ends it, also by an error of Lua or of the server
do language pllua_bg $$
    local outer
    do
        local s <close> = bg.launch()
        outer = s
        s:exec('select 1')
    end
    print(outer:status().state, #bg.sessions())
    print(pcall(function()
        local s <close> = bg.launch()
        outer = s
        error('left by an error')
    end))
    print(outer:status().state)
    print(pcall(function()
        local s <close> = bg.launch()
        outer = s
        spi.execute('select 1 / 0')
    end))
    print(outer:status().state, #bg.sessions())
$$;
do language pllua_bg $$
    local s <close> = bg.launch()
    spi.execute('select 1 / 0')
$$;
do language pllua_bg 'print(#bg.sessions())';

-- close rolls back what is open and cancels what runs
do language pllua_bg $$
    local s = bg.launch()
    s:exec('begin')
    s:exec([[insert into log values ('rolled back')]])
    print(s:close(), s:close())
    s = bg.launch()
    s:run([[insert into log values ('canceled'); select pg_sleep(60)]]) -- workload
    s:close()
$$;
select wait_until('workers() = 0');
table log;

-- detach lets what was sent finish
do language pllua_bg $$
    local s = bg.launch()
    for i = 1, 5 do s:run('insert into log values ($1)', 'detached ' .. i) end
    s:detach()
$$;
select wait_until('(select count(*) = 5 from log)');
select wait_until('workers() = 0');
table log;

-- what an ended session's handle and futures do
do language pllua_bg $$
    local s = bg.launch()
    local settled, pending = s:run('select 1'), s:run('select pg_sleep(60)') -- workload
    settled:get()
    s:close()
    print(settled:get().value)
    print(pending:get())
    print(pending:try())
    print(pending:wait(), pending:done(), pending:cancel())
    print(s:result())
    for _ in s:results() do print('never') end
    print(s:cancel(), s:detach(), s:close(), s.pid, s.name)
    local status = s:status()
    print(status.state, status.queued)
    for _, method in ipairs {'run', 'exec', 'rows', 'begin'} do
        print(pcall(s[method], s, 'select 1'))
    end
    print(bg.wait({pending}) == pending)
    print(bg.all({pending}))
$$;

-- closing while its rows are read
do language pllua_bg $$
    local s = bg.launch()
    print(pcall(function()
        for row in s:rows('select i from generate_series(1, 100000) i') do
            if row.i == 2 then s:close() end
        end
    end))
$$;

-- a finalizer that closes the session whose result is being made
do language pllua_bg $$
    for round = 1, 20 do
        local s = bg.launch()
        s:exec('select 1')
        collectgarbage('generational')
        for i = 1, 50 do setmetatable({}, {__gc = function() s:close() end}) end
        local ok, r = pcall(s.exec, s, [[select i, i::text as t, 'x' || i as u from generate_series(1, 2000) i]])
        assert(not ok and r.sqlstate == '08003' or r.n == 2000)
        collectgarbage('incremental')
        s:close()
    end
    print('alive')
$$;

-- finalizers that end the reading, or go on with it, while a row is being made
do language pllua_bg $$
    local queries = {[[select i, i::text as t, 'x' || i as u from generate_series(1, 3000) i]],
        [[select i, row(i, 'x') as r, 'x' || i as u from generate_series(1, 3000) i]]}
    local outcomes = {}
    for round = 1, 40 do
        local s <close> = bg.launch()
        local next_row, _, _, stream = s:rows(queries[round // 4 % 2 + 1])
        collectgarbage('generational')
        for i = 1, 50 do
            setmetatable({}, {__gc = function()
                if round % 4 == 0 then local x <close> = stream end
                if round % 4 == 1 then s:close() end
                if round % 4 == 2 then pcall(next_row) end
                if round % 4 == 3 then pcall(s.exec, s, 'select 1') end
            end})
        end
        local count = 0
        local ok, r = pcall(function() for row in next_row do count = count + #row.u // #row.u end end)
        assert(ok and count <= 3000 or r.sqlstate == '08003' or r.sqlstate == '55000', r)
        collectgarbage('incremental')
        outcomes[#outcomes + 1] = count
    end
    print(#outcomes)
$$;
select wait_until('workers() = 0');

-- a launch whose handle is lost with the statement: the session goes with it unless it was used
do language pllua_bg $$ bg.launch{name = 'lost'} error('before it was used', 0) $$;
do language pllua_bg $$ pcall(function() bg.launch{name = 'lost too'} error('caught', 0) end) error('not caught', 0) $$;
begin;
do language pllua_bg $$ bg.launch{name = 'rolled back'} $$;
select name from bg.backend_sessions();
rollback;
do language pllua_bg $$ bg.launch{name = 'used'}:run('select 1') error('after it was used', 0) $$;
do language pllua_bg $$ print(bg.launch{name = 'known'}.pid > 0) error('its pid is known', 0) $$;
do language pllua_bg $$ bg.launch{name = 'committed'} $$;
do language pllua_bg $$ error('later', 0) $$;
create procedure rolls_back() language pllua_bg as $$
    local s = bg.launch{name = 'kept'}
    spi.rollback()
    print(s:exec('select 1').value)
$$;
call rolls_back();
select name from bg.backend_sessions() order by name;
select count(bg.close(pid)) from bg.backend_sessions();
drop procedure rolls_back;
select wait_until('workers() = 0');
drop function wait_until, workers;
drop table log;

-- the session in a set-returning function that an error has stopped is closed
create function streams() returns setof int language pllua_bg as $$
    local s <close> = bg.launch()
    for r in s:rows('select g from generate_series(1, 100000) g') do coroutine.yield(r.g) end
$$;
do $$
declare r record;
begin
    for i in 1..3 loop
        begin
            for r in select streams() x loop
                if r.x = 3 then raise exception 'stopped'; end if;
            end loop;
        exception when raise_exception then null;
        end;
    end loop;
end $$;
select count(*) from bg.backend_sessions();
begin;
declare c cursor for select streams();
fetch 2 from c;
rollback;
select count(*) from bg.backend_sessions();
drop function streams;
