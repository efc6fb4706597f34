-- Objects in tables that are parameters of a session: what is made of rows is read by its text, for the session has definitions
-- of its own, and record[] is refused as it is by itself.
\set SHOW_CONTEXT never
set client_min_messages = error;
set statement_timeout = '60s';
create type pair as (a int, b int);
create type pairs as range (subtype = pair, multirange_type_name = pair_sets);
create domain list as pair[];
create type holder as (x int, r pairs);
set client_min_messages = info;
do language pllua_bg $$
    local s <close> = bg.launch()
    -- the session has anonymous row types of its own
    for i = 1, 5 do s:exec("select row('x'::text" .. (", 'y'::text"):rep(i) .. ")") end
    for _, e in ipairs {'array[row(2139095036, 2139095036)]', 'array[row(1, null)::pair, null]', 'array[row(1, 2)::pair]::list',
            'array[array[row(1, 2)::pair]::list]', 'pairs(row(1, 2)::pair, null)', 'pair_sets(pairs(row(1, 2)::pair, null))',
            'array[row(1, pairs(null, row(3, 4)::pair))::holder]', 'row(1, pairs(null, row(3, 4)::pair))::holder', 'int4range(1, 5)', 'array[[1, 2], [3, 4]]'} do
        local v = spi.execute('select ' .. e .. ' as v')[1].v
        local function show(f) return tostring(select(2, pcall(f))) end
        local here = show(function() return spi.execute('select $1::jsonb::text', {v, x = v}).value end)
        local there = show(function() return s:exec('select $1::jsonb::text', {v, x = v}).value end)
        print(e, here == there and 'alike' or 'not alike', there)
    end
    -- alone in an array
    print(s:exec('select $1::pairs[]', {spi.execute('select pairs(row(1, 2)::pair, null) as v')[1].v}).value)
    print(pcall(s.exec, s, 'select $1', {spi.execute('select array[row(1, 2)] as v')[1].v}))
    print(s:exec('select 1').value)
$$;
-- altered on the way: nothing is read with another definition
create function on_the_way(expression text) returns setof text language pllua_bg as $$
    local s <close> = bg.launch()
    local other <close> = bg.launch()
    local type = spi.execute('select pg_typeof(' .. expression .. ')::text').value
    local prepared = s:prepare('select $1::text', {type})
    other:exec('select pg_advisory_lock(8)')
    s:run('select pg_advisory_lock(8)')
    local v = spi.execute('select ' .. expression .. ' as v')[1].v
    local waiting = {s:run('select $1::text', v), prepared:run(v), s:run('select $1::jsonb::text', {v})}
    other:exec('alter type pair alter attribute b type text cascade')
    other:exec('select pg_advisory_unlock(8)')
    for _, f in ipairs(waiting) do
        local r, e = f:try()
        coroutine.yield(r and r.value or tostring(e))
    end
    other:exec('alter type pair alter attribute b type int cascade')
$$;
select on_the_way('pairs(row(1, 2139095036)::pair, null)');
select on_the_way('array[pairs(row(1, 2139095036)::pair, null)]');
select on_the_way('pair_sets(pairs(row(1, 2139095036)::pair, null))');
select on_the_way('array[array[row(1, 2139095036)::pair]::list]');
select on_the_way('array[row(1, pairs(row(1, 2139095036)::pair, null))::holder]');
select on_the_way('array[row(1, 2139095036)::pair]');
-- being altered here
begin;
alter type pair add attribute c int cascade;
do language pllua_bg $$
    local s <close> = bg.launch()
    for _, e in ipairs {'array[null::pair]', 'pairs(row(1, 2, 3)::pair, null)'} do
        print(pcall(s.exec, s, 'select $1::jsonb', {spi.execute('select ' .. e .. ' as v')[1].v}))
    end
    print(s:exec('select 1').value)
$$;
rollback;
drop function on_the_way(text);
set client_min_messages = error;
drop type pair cascade;
drop type holder;
