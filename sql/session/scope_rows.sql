-- Rows yielded from inside of scopes, tasks, bg.map and loops over what they give.
\set SHOW_CONTEXT never
-- what is open here: sessions, and queries of them that run
create view still_open as select count(*) from bg.backend_sessions();

create function rows_of_body(n int) returns setof int language pllua_bg as $$
    local function closing(name) return setmetatable({}, {__close = function() print('closed', name) end}) end
    local function_ <close> = closing('function')
    bg.scope(function(sc)
        local body <close> = closing('body')
        local s <close> = bg.launch()
        sc:go(function()
            local task <close> = closing('task')
            bg.sleep(n < 10 and 0 or 1000)
        end)
        for row in s:rows('select generate_series(1, $1) i', n) do coroutine.yield(row.i) end
    end)
$$;
create function rows_of_tasks(n int) returns setof int language pllua_bg as $$
    bg.scope(function(sc)
        for k = 1, 3 do
            sc:go(function()
                local s <close> = bg.launch()
                for row in s:rows('select generate_series(1, $1) i', n) do coroutine.yield(10 * row.i + k) end
            end)
        end
    end)
$$;
create function rows_of_map(n int) returns setof int language pllua_bg as $$
    local list = {}
    for i = 1, n do list[i] = i end
    bg.map(list, function(s, i) coroutine.yield(s:exec('select $1 * 10', i).value) end, {workers = 2})
$$;
create function rows_of_each(n int) returns setof int language pllua_bg as $$
    local list = {}
    for i = 1, n do list[i] = i end
    for r in bg.each(list, 'select $1 * 10', {workers = 2}) do coroutine.yield(r.value) end
    for r in bg.each(list, function(s, i) return s:exec('select $1 * 10', i).value end, {workers = 2}) do coroutine.yield(r) end
$$;
create function rows_of_gather(n int) returns setof int language pllua_bg as $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    for _, r in bg.completed{a:run('select $1::int', n), b:run('select $1::int', n)} do coroutine.yield(r.value) end
    for _, r in ipairs(bg.all{a:run('select $1::int', n), b:run('select $1::int', n)}) do coroutine.yield(r.value) end
$$;
create function rows_of_channel(n int) returns setof int language pllua_bg as $$
    bg.scope(function(sc)
        local channel = bg.channel(1)
        sc:go(function()
            for i = 1, n do channel:send(i) end
            channel:close()
        end)
        for value in channel:values() do coroutine.yield(value) end
    end)
$$;
create function rows_of_inner(n int) returns setof int language pllua_bg as $$
    bg.scope(function(sc)
        sc:go(function()
            bg.scope(function(inner)
                inner:go(function() for i = 1, n do coroutine.yield(i) bg.sleep(0) end end)
                bg.sleep(0.001)
                coroutine.yield(-1)
            end)
        end)
        sc:go(function() for i = 1, n do coroutine.yield(100 * i) bg.sleep(0) end end)
    end)
$$;

-- all rows: by value per call, and kept
select rows_of_body(3);
select * from rows_of_body(2);
select count(*), sum(r) from (select rows_of_tasks(1000) r) r;
select count(*), sum(r) from rows_of_tasks(1000) r;
select count(*), sum(r) from (select rows_of_map(100) r) r;
select count(*), sum(r) from rows_of_map(100) r;
select count(*), sum(r) from (select rows_of_each(100) r) r;
select count(*), sum(r) from rows_of_each(100) r;
select rows_of_gather(7);
select string_agg(r::text, ' ') from rows_of_channel(5) r;
select count(*), sum(r) from (select rows_of_inner(10) r) r;
select count(*), sum(r) from rows_of_inner(10) r;
select * from still_open;

-- who needs no more: what is open is closed, sessions are let go
select rows_of_body(1000000) limit 2;
select count(*) from (select rows_of_tasks(1000000) limit 4) r;
select count(*) from (select rows_of_map(1000000) limit 4) r;
select count(*) from (select rows_of_each(1000) limit 4) r;
select rows_of_gather(1) limit 1;
select rows_of_channel(1000000) limit 2;
select count(*) from (select rows_of_inner(1000000) limit 3) r;
select * from still_open;
-- also by a cursor that is closed, and by one whose transaction ends
begin;
declare c cursor for select rows_of_body(1000000);
fetch 2 from c;
select * from still_open;
close c;
select * from still_open;
declare d cursor for select rows_of_tasks(1000000);
move 5 in d;
select * from still_open;
rollback;
select * from still_open;
-- by an error of who takes the rows
select 1 / (3 - r) from (select rows_of_body(1000000) r) r;
select * from still_open;

-- an error after some rows, here and in a session; a cancel
create function fails(how text) returns setof int language pllua_bg as $$
    bg.scope(function(sc)
        local s <close> = bg.launch()
        sc:go(function()
            for i = 1, 2 do coroutine.yield(i) end
            if how == 'session' then s:exec('select 1/0') end
            if how == 'here' then spi.execute("select 'x'::int") end
            if how == 'lua' then error('mine', 0) end
            if how == 'cancel' then
                local me = spi.execute('select pg_backend_pid()').value
                s:exec('select pg_cancel_backend($1), pg_sleep(1000)', me) -- workload
            end
        end)
        bg.sleep(1000)
    end)
$$;
select fails('session');
select * from fails('session');
select fails('session') limit 2;
select fails('here');
select fails('lua');
select fails('cancel');
select * from still_open;

-- a task that has yielded can be cancelled, and the time of its scope be over
create function cancelled_task() returns setof text language pllua_bg as $$
    print(bg.scope(function(sc)
        local t = sc:go(function()
            coroutine.yield('a row')
            bg.sleep(1000)
        end)
        bg.sleep(0.001)
        coroutine.yield(tostring(t:cancel()))
        sc:go(function()
            while true do coroutine.yield('another') bg.sleep(0.001) end
        end)
        bg.sleep(1000)
    end, {timeout = 0.2}))
$$;
select min(r), count(*) > 2 as more from cancelled_task() r;

-- pcall lets rows through until it has used the database
create function in_pcall(around text) returns setof int language pllua_bg as $$
    local function rows(use)
        if use then spi.execute('select') end
        coroutine.yield(1)
        return 'yielded'
    end
    if around == 'yield' then
        bg.scope(function(sc) sc:go(function() print(pcall(rows, false)) print(pcall(rows, true)) end) end)
    else
        print(pcall(bg.scope, function(sc) sc:go(rows, false) bg.sleep(0) end))
        print(pcall(function()
            spi.execute('select')
            bg.scope(function(sc) sc:go(rows, false) bg.sleep(1000) end)
        end))
    end
$$;
select in_pcall('yield');
select in_pcall('scope');

-- where nobody takes rows
do language pllua_bg $$ bg.scope(function(sc) sc:go(function() coroutine.yield(1) end) end) $$;
do language pllua_bg $$ bg.scope(function(sc) coroutine.yield(1) end) $$;
create function no_set() returns int language pllua_bg as $$
    return bg.scope(function(sc) local t = sc:go(coroutine.yield, 1) return t:get() end)
$$;
select no_set();
do language pllua_bg $$
    -- a coroutine of one's own takes what a task yields, and gives what it is resumed with
    local co = coroutine.wrap(function()
        return bg.scope(function(sc)
            local t = sc:go(function() return coroutine.yield('from the task') end)
            return t:get(), 'end'
        end)
    end)
    print(co())
    print(co('to the task'))
$$;
select * from still_open;
drop view still_open;
drop function rows_of_body, rows_of_tasks, rows_of_map, rows_of_each, rows_of_gather, rows_of_channel, rows_of_inner, fails,
    cancelled_task, in_pcall, no_set;
