-- What the server keeps for Lua code is counted: pllua_bg.memory_limit. Each case in a backend of its own, so that its peak is that of
-- the case; after each the next statement works.
\set VERBOSITY sqlstate
create schema api_memory;
create function api_memory.peak(most_mb int) returns text language sql as $$
    select case when peak < most_mb then 'below ' || most_mb || ' MB' else peak || ' MB' end
    from (select (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s*(\d+)'))[1]::int / 1024 as peak) s
$$;

-- plans: kept, caught, forgotten
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ local kept = {} while true do kept[#kept + 1] = spi.prepare('select ' .. ('1,'):rep(300) .. #kept) end $$;
do language pllua_bg $$ assert(spi.execute('select 1 as n')[1].n == 1) $$;
do language pllua_bg $$
    local kept = {}
    local ok, e = pcall(function() while true do kept[#kept + 1] = spi.prepare('select $1::int + ' .. #kept) end end)
    assert(e.sqlstate == '53200' and #kept > 100)
    kept = nil
    for i = 1, 3000 do spi.prepare('select $1::int + ' .. i) end
    assert(spi.execute('select 1 as n')[1].n == 1)
$$;
select api_memory.peak(60);

-- plans for all values, made later than the statement
\c -
set pllua_bg.memory_limit = '16MB';
set plan_cache_mode = force_generic_plan;
do language pllua_bg $$
    local kept = {}
    while true do
        kept[#kept + 1] = spi.prepare('select ' .. ('(select count(*) from pg_class where oid = $1) + '):rep(20) .. #kept)
        kept[#kept]:execute(1)
    end
$$;
do language pllua_bg $$ assert(spi.execute('select 1 as n')[1].n == 1) $$;
select api_memory.peak(60);

-- the plans that spi.execute keeps: by number and by size
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ for i = 1, 600 do spi.execute('select ' .. ('1,'):rep(300) .. i) end assert(spi.execute('select 1 as n')[1].n == 1) $$;
select coalesce(sum(total_bytes), 0) < 4 * 1024 * 1024 as kept from pg_backend_memory_contexts where name like 'CachedPlan%' or name like 'SPI Plan';
select api_memory.peak(60);

-- cursors: held, and forgotten, which closes them
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ local p, kept = spi.prepare('select generate_series(1, 100) as n'), {} while true do kept[#kept + 1] = p:getcursor() kept[#kept]:fetch(1) end $$;
do language pllua_bg $$ local p = spi.prepare('select generate_series(1, 100) as n') for i = 1, 20000 do p:getcursor():fetch(1) end assert(spi.execute('select count(*) from pg_cursors').value < 2000) $$;
do language pllua_bg $$ local p, kept = spi.prepare('select generate_series(1, 100) as n'), {} while true do kept[#kept + 1] = {p:rows()} kept[#kept][1]() end $$;
do language pllua_bg $$
    local p = spi.prepare('select generate_series(1, 100) as n')
    local ok, e = pcall(function() while true do p:getcursor():disown() end end)
    assert(e.sqlstate == '53200')
    for i = 1, 3000 do local c = p:getcursor() assert(c:fetch(1)[1].n == 1) c:close() end
$$;
select api_memory.peak(60);
-- what a cursor sorts or holds
do language pllua_bg $$
    local p, kept = spi.prepare("select i, repeat('x', 100) from generate_series(1, 10000) i order by i desc"), {}
    while true do kept[#kept + 1] = p:getcursor() kept[#kept]:fetch(1) end
$$;
do language pllua_bg $$ assert(spi.execute('select 1 as n')[1].n == 1) $$;
select api_memory.peak(60);

-- results: their rows on the way, caught again and again
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$
    for _ = 1, 30 do
        local ok, e = pcall(spi.execute, "select i, repeat('x', 100) from generate_series(1, 100000) i")
        assert(e.sqlstate == '53200')
    end
    assert(spi.execute('select 1 as n')[1].n == 1)
$$;
select api_memory.peak(70);

-- what statements that fail leave behind: their values, and the memory they ran in
\c -
set pllua_bg.memory_limit = '64MB';
do language pllua_bg $$
    local function of_executions()
        return spi.execute("select sum(total_bytes) as n from pg_backend_memory_contexts where name = 'pllua_bg execution'")[1].n
    end
    local kept = {}
    for i = 1, 20000 do kept[i] = select(2, pcall(spi.execute, 'select 1/0')) end
    assert(of_executions() < 8 * 1024 * 1024)
    for i = 1, 100 do pcall(spi.execute, 'select length($1)/0', ('x'):rep(1024 * 1024) .. i) end
    assert(of_executions() < 32 * 1024 * 1024)
$$;
select api_memory.peak(130);

-- shapes of rows
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ local kept = {} while true do kept[#kept + 1] = spi.execute('select 1 as a' .. #kept .. (',2'):rep(50)) end $$;
do language pllua_bg $$ assert(spi.execute('select 1 as n')[1].n == 1) $$;
select api_memory.peak(70);

-- types with many modifiers
do language pllua_bg $$ for i = 1, 5000 do assert(pgtype(nil, 'varchar(' .. i .. ')')) end $$;
select api_memory.peak(70);

-- what a call has let go of is given back when it has ended: rows, tables, a text and the plan that has it as a constant
\c -
create function api_memory.held(megabytes int) returns text language sql as $$
    select case when sum(total_bytes - free_bytes) < megabytes * 1024 * 1024 then 'below ' || megabytes || ' MB' else sum(total_bytes - free_bytes)::text end
    from pg_backend_memory_contexts $$;
do language pllua_bg $$ assert(#spi.execute('select i, i::text as t from generate_series(1, 200000) i') == 200000) $$;
select api_memory.held(16);
do language pllua_bg $$ local t = {} for i = 1, 300000 do t[i] = {i} end error('dropped') $$;
select api_memory.held(16);
do language pllua_bg $$ assert(#spi.execute("select repeat('x', 50000000) as t")[1].t == 50000000) $$;
select api_memory.held(16);

set client_min_messages = warning;
drop schema api_memory cascade;
