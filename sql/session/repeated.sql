-- A command that comes again is not planned again where nobody can tell the difference.
create function is_kept(text) returns boolean language sql security definer
    return exists (select from pg_backend_memory_contexts where name = 'CachedPlanSource' and ident = $1);

do language pllua_bg $$
    local s <close> = bg.launch()
    local function kept(sql) return s:exec('select is_kept($1) as k', sql)[1].k end
    for i = 1, 3 do print(i, kept('select 1 as x'), s:exec('select 1 as x')[1].x) end
    print(kept('select 1 as x'))
    -- with parameters: a text is another one with values of other types
    local add = 'select $1 + 1 as x'
    for _, v in ipairs{1, 2, '4', '5', pgtype.int8(6), pgtype.int8(7)} do
        local row = s:exec(add, v)[1]
        print(row.x, kept(add))
    end
    for i = 1, 3 do print(pcall(s.exec, s, add, 'x')) end
    for i = 1, 12 do assert(s:exec(add, i)[1].x == i + 1) end
    -- as many values as before, each time
    for i = 1, 3 do print(pcall(s.exec, s, 'select 1 as x', i)) end
    for i = 1, 3 do print(pcall(s.exec, s, 'select $2::int as x', i)) end
    for i = 1, 3 do print(pcall(s.exec, s, 'select $1::int as x', i, i)) end
    -- an error leaves it as it was
    for _, v in ipairs{1, 0, 0, 2, 0, 4} do
        print(pcall(function() return s:exec('select 4 / $1 as x', v)[1].x end))
    end
    -- in failed transactions
    s:exec('begin')
    print(pcall(s.exec, s, 'select 1/0'))
    for i = 1, 2 do print(pcall(s.exec, s, 'select 1 as x')) end
    s:exec('rollback')
    print(s:exec('select 1 as x')[1].x)
$$;

-- not kept: what depends on tables, settings, the time, or on what a user calls immutable
create table grows (i int);
create function said(n int) returns int language plpgsql immutable as $$ begin raise notice 'called'; return n; end $$;
create function inlined(int) returns int language sql return said(2) + $1;
create function volatile_one(int) returns int language plpgsql as $$ begin raise notice 'called'; return $1; end $$;
do language pllua_bg $$
    local s <close> = bg.launch()
    local function kept(sql) return s:exec('select is_kept($1) as k', sql)[1].k end
    local function thrice(sql)
        local last
        for i = 1, 3 do last = s:exec(sql)[1] end
        print(sql:sub(1, 60), kept(sql), last[1])
    end
    thrice('select count(*) from grows')
    thrice('select (select count(*) from grows) as x')
    thrice('select * from generate_series(1, 2) as x')
    thrice("select 'a' as x")
    thrice("select e'a' || 1 as x")
    thrice('select null as x')
    thrice('select make_interval(days => 2)::text as x')
    thrice('select 1 is null as x')
    thrice('select case when true then 1 end as x')
    thrice('select 2 as x where true')
    thrice('values (1)')
    thrice('select 1 as x union all select 2')
    thrice('with a as (select 1 as x) select x from a')
    thrice('show search_path')
    thrice('select said(1) as x')
    thrice('select said(n => 1) is null as x')
    thrice('select inlined(1) as x')
    thrice('select volatile_one(1) as x')
    thrice('select abs(-1) as x')
    thrice('select volatile_one(abs(-1)) as x')
    thrice('select 1 as x, ' .. ('1,'):rep(600) .. '1')
    s:exec('select 1 into temp made') -- twice would be an error
    print(pcall(s.exec, s, 'select 1 into temp made'))
    for _, zone in ipairs{'UTC', 'Asia/Tokyo', 'UTC'} do
        s:exec("select set_config('timezone', $1, false)", zone)
        print(s:exec("select extract(epoch from timestamptz '2020-01-01 00:00')::int as t")[1].t)
    end
    local started = bg.now()
    local first = s:exec("select timestamptz 'now' as t")[1].t
    repeat until bg.now() > started -- the clock of transactions has microseconds
    local second = s:exec("select timestamptz 'now' as t")[1].t
    print(s:exec('select $1 < $2 as later', first, second)[1].later)
$$;

-- what could be noticed: compared with the same that is never kept
create function loud(int) returns boolean language plpgsql as $$ begin raise notice 'called'; return true; end $$;
create type rpair as (a int, b int);
do language pllua_bg $$
    local s <close> = bg.launch()
    local function last(sql, before, after, ...)
        for i = 1, 9 do s:exec(sql, ...) end
        s:exec(before)
        local answer = {pcall(function(...) return s:exec(sql, ...).value end, table.unpack(after))}
        s:exec('reset all')
        pcall(s.exec, s, 'alter type rpair drop attribute c')
        return tostring(answer[1]) .. ' ' .. tostring(answer[2])
    end
    local function compare(expression, before, after, ...)
        local sql = 'select ' .. expression
        local once, again = last(sql, before, after, ...), last(sql .. ' where true', before, after, ...)
        print(expression, once == again, again)
    end
    compare('(0.1::float8 + 0.2::float8)::text', 'set extra_float_digits = 0', {})
    compare('point(0.1::float8 + 0.2::float8, 1)::text', 'set extra_float_digits = 0', {})
    compare('array[0.1::float8 + 0.2::float8]', 'set extra_float_digits = 0', {})
    compare('int4send(1)::text', 'set bytea_output = escape', {})
    compare('row(1, 2)::rpair::text', 'alter type rpair add attribute c int', {})
    compare('loud(1) or 4 / $1 > 1', 'reset all', {0}, 1)
    compare('array[loud(1), 4 / $1 > 1]', 'set plan_cache_mode = force_generic_plan', {0}, 1)
    compare('4 / $1', 'set plan_cache_mode = force_generic_plan', {0}, 1)
$$;
do language pllua_bg $$
    local s <close> = bg.launch()
    local kept = "select count(*)::int as n from pg_backend_memory_contexts where name = 'CachedPlanSource' and ident = 'select 1'"
    local before = s:exec(kept).value
    for _ = 1, 3 do s:exec('select 1') end
    print('kept', s:exec(kept).value - before)
    s:exec('set jit_above_cost = 0')
    s:exec('select 2')
    print('after a setting of plans', s:exec(kept).value - before)
    s:exec('set debug_print_plan = on; set log_planner_stats = on')
    for _ = 1, 3 do s:exec('select 1') end
    print('while plans are shown', s:exec(kept).value - before)
$$;
drop function loud;
drop type rpair;

-- what a name means may change
create function pick(bigint) returns text language plpgsql as $$ begin return 'bigint'; end $$;
create schema other;
create function other.secret() returns text language plpgsql as $$ begin return 'other'; end $$;
create role bg_repeated login;
grant usage on schema bg, other to bg_repeated;
do language pllua_bg $$
    local s <close> = bg.launch()
    local function kept(sql) return s:exec('select public.is_kept($1) as k', sql)[1].k end
    local function pick(sql)
        local last
        for i = 1, 3 do last = s:exec(sql)[1][1] end
        print(last, kept(sql))
    end
    local sql = 'select pick(1) as p'
    pick(sql)
    s:exec('begin')
    s:exec("create function pick(int) returns text language plpgsql as $f$ begin return 'int'; end $f$")
    pick(sql)
    s:exec('rollback')
    pick(sql)
    -- by another session
    do
        local t <close> = bg.launch()
        t:exec("create function pick(int) returns text language plpgsql as $f$ begin return 'int again'; end $f$")
    end
    pick(sql)
    s:exec("create or replace function pick(int) returns text language plpgsql as $f$ begin return 'replaced'; end $f$")
    pick(sql)
    s:exec("create function other.pick(int) returns text language plpgsql as $f$ begin return 'other' ; end $f$")
    s:exec('set search_path = other, public')
    pick(sql)
    s:exec('reset search_path')
    pick(sql)
    s:exec('drop function pick(int); drop function pick(bigint)')
    print(pcall(s.exec, s, sql))
    print(pcall(s.exec, s, sql))
    -- a type of another shape
    s:exec('create type pair as (a int)')
    sql = 'select row(1)::pair as p'
    pick(sql)
    s:exec('drop type pair; create type pair as (a text)')
    s:exec(sql)
    print(s:exec(sql)[1].p.a == '1')
    -- rights
    sql = 'select other.secret() as p'
    pick(sql)
    s:exec('set role bg_repeated')
    pick(sql)
    s:exec('reset role')
    s:exec('revoke usage on schema other from bg_repeated')
    s:exec('set role bg_repeated')
    for i = 1, 3 do print(pcall(s.exec, s, sql)) end
    s:exec('reset role')
    pick(sql)
$$;

-- few are kept, and none for the next use of the session
do language pllua_bg $$
    local s = bg.launch()
    local count = "select count(*)::int as n from pg_backend_memory_contexts where name = 'CachedPlanSource'"
    local before = s:exec(count)[1].n
    for i = 1, 200 do for _ = 1, 3 do s:exec('select ' .. i) end end
    print('kept', s:exec(count)[1].n - before)
    s:close()
$$;
do language pllua_bg $$
    local one = bg.launch()
    for _ = 1, 3 do one:exec('select 1') end
    local pid, sql = one.pid, 'select is_kept($1) as k'
    print(one:exec(sql, 'select 1')[1].k)
    one:close()
    local others, again = {}
    repeat -- until its worker has forgotten everything
        again = bg.launch()
        others[#others + 1] = again
        again:exec('')
    until again.pid == pid or #others == 50
    print('the same process', again.pid == pid, again:exec(sql, 'select 1')[1].k)
    for _, other in ipairs(others) do other:close() end
$$;
drop table grows;
drop function said, inlined, volatile_one, is_kept;
drop schema other cascade;
revoke usage on schema bg from bg_repeated;
drop role bg_repeated;
drop type pair;
