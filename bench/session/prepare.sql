-- bench/session/prepare.sql: what the other files of this folder share. A global Lua table `bench` with the ways to measure;
-- tables for the figures, the targets and the ratios; a session and a dblink connection, both open.
--   psql variables: connection, for dblink
set client_min_messages = warning;
create extension if not exists pllua_bg;
create extension if not exists dblink;
create schema if not exists bench;
set search_path = bench, public;
create temp table figures (id int generated always as identity, part text, what text, median float8, best float8, unit text);
create temp table targets (id int generated always as identity, what text, measured float8, relation text, target float8, unit text);
create temp table ratios (id int generated always as identity, part text, what text, ratio float8);

do language pllua_bg $lua$
local bench = {}
_G.bench = bench

-- Calls every way in turn, `turns` times after a turn that does not count, each time `batch` calls one by one. A way is
-- {name, call, batch=, before=, after=, items=}; what runs before and after a call is not timed. The times are in seconds, for
-- each item where a call works on several.
function bench.measure(turns, ways)
    for _, way in ipairs(ways) do way.times = {} end
    for turn = 0, turns do
        for _, way in ipairs(ways) do
            local call, before, after = way[2], way.before, way.after
            for _ = 1, way.batch or 1 do
                if before then before() end
                local began = bg.now()
                call()
                local ended = bg.now()
                if after then after() end
                if turn > 0 then table.insert(way.times, (ended - began) / (way.items or 1)) end
            end
            collectgarbage()
        end
    end
    for _, way in ipairs(ways) do
        table.sort(way.times)
        way.median, way.best = way.times[#way.times // 2 + 1], way.times[1]
        bench.quick[way[1]] = way.times[#way.times // 4 + 1]
    end
    return ways
end

-- A ratio for bench/gate: the time of a way to that of its peer in the same measurement, the less the better. It is that of the
-- quicker turns (the first quartile), which the rest of the machine disturbs least.
bench.quick = {}
function bench.ratio(part, mine, peer)
    bench.keep_ratio(part, mine .. ' / ' .. peer, bench.quick[mine] / bench.quick[peer])
end
function bench.keep_ratio(part, what, ratio)
    spi.execute('insert into ratios (part, what, ratio) values ($1, $2, $3::float8)', part, what, ratio)
end

-- Measures and keeps the figures in `unit` ('us', 'ms'; 'M rows/s' with the number of rows); returns the medians by name.
local kFactors = {us = 1e6, ms = 1e3}
function bench.figures(part, unit, turns, ways, rows)
    local function convert(seconds) return rows and rows / seconds / 1e6 or seconds * kFactors[unit] end
    local medians = {}
    for _, way in ipairs(bench.measure(turns, ways)) do
        medians[way[1]] = convert(way.median)
        bench.figure(part, way[1], convert(way.median), convert(way.best), unit)
    end
    return medians
end

function bench.figure(part, what, median, best, unit)
    spi.execute('insert into figures (part, what, median, best, unit) values ($1, $2, $3::float8, $4::float8, $5)',
        part, what, median, best, unit)
end

-- A target: the measured value must be 'at most' or 'at least' so much.
function bench.target(what, measured, relation, target, unit)
    spi.execute('insert into targets (what, measured, relation, target, unit) values ($1, $2::float8, $3, $4::float8, $5)',
        what, measured, relation, target, unit)
end

-- The first column of the first row.
function bench.value(sql, ...)
    return spi.execute(sql, ...)[1][1]
end

-- Waits until the processes that are ending have ended, so that they are in nobody's way.
local kOthers = [[select count(*) from pg_stat_activity where pid <> pg_backend_pid()
    and (backend_type = 'client backend' or backend_type = 'pllua_bg session')]]
function bench.settle(expected)
    while bench.value(kOthers) > expected do bg.sleep(0.001) end
    bg.sleep(0.005)
end
function bench.others() return bench.value(kOthers) end

bench.session = bg.launch{name = 'bench'}
bench.session:exec('select 1')
$lua$;

select dblink_connect('open', :'connection') \g /dev/null
select set_config('bench.connection', :'connection', false) \g /dev/null
