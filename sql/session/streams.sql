-- session:rows: memory stays as it is on both sides however slow the reader is, and who leaves the loop ends the statement.
set statement_timeout = '60s';
set work_mem = '1GB'; -- nothing of this goes to disk
do language pllua_bg $$
    local s <close> = bg.launch{queue_size = '64kB'}
    local other <close> = bg.launch()
    local function memory_here()
        return spi.execute([[select sum(total_bytes)::int8 as n from pg_backend_memory_contexts where name like 'pllua_bg%']])[1].n
    end
    local function is_stalled()
        spi.execute('select pg_stat_clear_snapshot()')
        return spi.execute([[select from pg_stat_activity where pid = $1 and wait_event in ('PlluaBgRoom', 'MessageQueueSend')]], s.pid).n == 1
    end
    local n, before, first, last = 0
    -- 100 MB; now and then the worker tells how much memory it uses
    for row in s:rows([[select i, repeat('x', 1000) as t, case when i % 10000 = 1
            then (select sum(total_bytes)::int8 from pg_backend_memory_contexts where i > 0) end as memory
            from (select generate_series(1, 100000) as i) g]]) do
        n = n + 1
        assert(row.i == n and #row.t == 1000)
        first, last = first or row.memory, row.memory or last
        before = before or memory_here()
        if n == 1 or n == 50000 then
            -- while we wait for others, the worker gets no further than the queue and a little more
            for i = 1, 200 do other:exec('select 1') end
            repeat other:exec('select 1') until is_stalled()
            print(n, memory_here() - before < 4000000)
        end
    end
    print(n, last - first < 4000000, memory_here() - before < 4000000)
$$;
-- break, return, error: the statement would take years
do language pllua_bg $$
    local s <close> = bg.launch()
    local endless = 'select generate_series(1, 1000000000000) as i'
    for row in s:rows(endless) do if row.i == 3 then break end end
    print(s:exec('select 1').value)
    local function first() for row in s:rows(endless) do return row.i end end
    print(first(), s:exec('select 2').value)
    print(pcall(function() for row in s:rows(endless) do error('left', 0) end end))
    print(s:exec('select 3').value)
    local st <close> = s:prepare(endless)
    for row in st:rows() do break end
    print(s:exec('select 4').value)
    -- nobody leaves a loop here, but nobody reads on either
    do
        local next_row = s:rows(endless)
        print(next_row().i)
    end
    collectgarbage() collectgarbage()
    print(s:exec('select 5').value)
    -- a cancel makes a transaction fail
    s:begin()
    for row in s:rows(endless) do break end
    print(pcall(s.exec, s, 'select 6'))
    s:rollback()
    print(s:exec('select 7').value)
$$;
reset work_mem;
reset statement_timeout;

-- rows that come slowly are not held back until there are many
do language pllua_bg $$
    local s <close> = bg.launch()
    local gate <close> = bg.launch()
    gate:exec('select pg_advisory_lock(4711)')
    local first
    for r in s:rows('select case g when 1 then 0 else (select 1 from pg_advisory_lock(4711)) end as x from generate_series(1, 2) g') do
        if not first then gate:exec('select pg_advisory_unlock(4711)') end
        first = true
    end
    print(first)
$$;

-- other commands on the session whose rows a loop reads: the rest of the rows is kept
do language pllua_bg $$
    local s <close> = bg.launch{queue_size = '16kB'}
    local sum, n = 0, 0
    for r in s:rows('select g from generate_series(1, 100000) g') do
        sum = sum + r.g
        if r.g == 10 then print(s:exec('select 1').value) end
        if r.g == 20 then
            for inner in s:rows('select g from generate_series(1, 100000) g') do
                n = n + 1
                if n == 50000 then break end
            end
        end
    end
    print(sum, n, s:exec('select 2').value)
$$;
