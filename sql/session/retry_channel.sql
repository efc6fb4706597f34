-- bg.retry and bg.channel, with sessions.
create table stock (item text primary key, pieces int);
insert into stock values ('nut', 10), ('bolt', 10);
create table retry_log (attempt int);

-- a conflict of serializable transactions, which another session provokes at the first attempt
do language pllua_bg $$
    local s <close> = bg.launch()
    local other <close> = bg.launch()
    print(bg.retry(function(attempt)
        spi.execute('insert into retry_log values ($1)', attempt) -- stays of the last attempt only
        return s:atomic(function()
            local pieces = s:exec("select pieces from stock where item = 'nut'").value
            if attempt == 1 then other:exec("update stock set pieces = pieces - 1 where item = 'nut'") end
            s:exec("update stock set pieces = $1 where item = 'nut'", pieces - 2)
            return attempt, pieces
        end, {isolation = 'serializable'})
    end))
    print(s:status().transaction, spi.execute("select array_agg(attempt)::text as a from retry_log")[1].a)
$$;
select * from stock order by item;

-- what is not tried again, and what comes out
do language pllua_bg $$
    bg.retry(function(attempt)
        spi.execute("insert into stock values ('nut', $1)", attempt)
    end)
$$;
do language pllua_bg $$
    bg.retry(function(attempt)
        print('attempt', attempt)
        spi.execute("insert into stock values ('nut', $1)", attempt)
    end, {on = {'23'}, attempts = 2, backoff = 0})
$$;
-- a session that is lost is started again; pauses let other tasks run
do language pllua_bg $$
    local others = 0
    bg.scope(function(sc)
        sc:go(function()
            print(bg.retry(function(attempt)
                local s <close> = bg.launch()
                if attempt < 3 then s:exec('select pg_terminate_backend(pg_backend_pid())') end
                return attempt, s:exec('select 1').value, others
            end, {backoff = 'linear'}))
        end)
        sc:go(function() bg.sleep(0.001) others = others + 1 end)
    end)
$$;
-- a canceled statement of a session is not tried again, nor is the statement that calls
do language pllua_bg $$
    local s <close> = bg.launch{settings = {statement_timeout = '10ms'}}
    local calls = 0
    print(pcall(bg.retry, function()
        calls = calls + 1
        s:exec('select pg_sleep(1000)') -- workload
    end, {on = function() return true end}))
    print(calls)
$$;
\set SHOW_CONTEXT never
set statement_timeout = '100ms';
do language pllua_bg $$
    bg.retry(function()
        bg.sleep(1000)
    end, {on = function() return true end})
$$;
reset statement_timeout;
\set SHOW_CONTEXT errors

-- a pipeline of three stages, each with a session of its own, over two channels
create table made (n int, square int, seen_by int);
do language pllua_bg $$
    local numbers, squares = bg.channel(), bg.channel(2)
    bg.scope(function(sc)
        sc:go(function()
            local out <close> = numbers
            local s <close> = bg.launch{name = 'read'}
            for row in s:rows('select n from generate_series(1, 100) n') do numbers:send(row.n) end
        end)
        sc:go(function()
            local out <close> = squares
            local s <close> = bg.launch{name = 'compute'}
            local square = s:prepare('select $1 * $1', {'int4'})
            for n in numbers:values() do squares:send{n = n, square = square:exec(n).value} end
        end)
        sc:go(function()
            local s <close> = bg.launch{name = 'write'}
            s:atomic(function()
                for v in squares:values() do s:exec('insert into made values ($1, $2, pg_backend_pid())', v.n, v.square) end
            end)
        end)
    end)
    print(#bg.sessions(), numbers, squares:receive())
$$;
select count(*), sum(square), count(distinct seen_by), bool_and(square = n * n) from made;
-- an error in the last stage ends all
do language pllua_bg $$
    local numbers = bg.channel(10)
    print(pcall(bg.scope, function(sc)
        sc:go(function()
            local s <close> = bg.launch()
            for row in s:rows('select n from generate_series(1, 1000000) n') do numbers:send(row.n) end
        end)
        sc:go(function()
            local s <close> = bg.launch()
            for n in numbers:values() do s:exec('select 1 / (5 - $1)', n) end
        end)
    end))
    print(#bg.sessions(), #numbers > 0)
$$;

-- waits: in a pcall that has used the database, in nested scopes, outside of scopes, in the loop of bg.each
do language pllua_bg $$
    local ch = bg.channel()
    local function try(fn, ...)
        local ok, e = pcall(fn, ...)
        print(ok, e.sqlstate, e.message, e.hint)
    end
    bg.scope(function(sc)
        sc:go(function()
            try(function() spi.execute('select 1') return ch:receive() end)
            print(pcall(function() return ch:receive() end))
        end)
        sc:go(function() bg.scope(function() bg.sleep(0.001) print(ch:send('from an inner scope')) end) end)
    end)
    try(ch.receive, ch)
    try(ch.send, ch, 1, 10)
    try(bg.wait, {ch})
    print(ch:receive(0))
    print(bg.wait({ch, bg.timer(0)}) ~= ch)
    for r in bg.each({1}, 'select $1') do try(ch.receive, ch) end
    for r in bg.each({1}, function(s, item) return item end) do try(ch.receive, ch) end
    try(bg.scope, function() ch:receive() end)
    -- functions of bg.map are tasks
    print(bg.map({1, 2}, function(s, item)
        if item == 1 then return ch:receive() end
        ch:send(s:exec('select 42').value)
        return 'sent'
    end, {workers = 2})[1])
$$;
-- a statement that is canceled while tasks wait for channels
\set SHOW_CONTEXT never
set statement_timeout = '100ms';
do language pllua_bg $$
    bg.scope(function(sc)
        local ch = bg.channel()
        for i = 1, 3 do sc:go(pcall, ch.receive, ch) end
        bg.sleep(1000)
    end)
$$;
reset statement_timeout;
\set SHOW_CONTEXT errors
-- ten thousand tasks, within the limit of memory
set pllua_bg.memory_limit = '100MB';
do language pllua_bg $$
    local first = bg.channel()
    collectgarbage()
    local before = collectgarbage('count')
    bg.scope(function(sc)
        local last = first
        for i = 1, 10000 do
            local from, to = last, bg.channel()
            last = to
            sc:go(function() to:send(from:receive() + 1) end)
        end
        sc:go(function() print(collectgarbage('count') - before < 100 * 1024) first:send(0) end)
        print(last:receive())
    end)
$$;
reset pllua_bg.memory_limit;
drop table stock, retry_log, made;
