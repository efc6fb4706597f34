-- bench/languages/run.sql: measures the workloads and prints the table.
--   psql variables: languages, chosen (both between spaces; '' for all), seconds, judge: off: does not fail
set search_path = bench, public;
create temp table measured (workload text, language text, cpu float8, value text);
select set_config('bench.languages', :'languages', false), set_config('bench.chosen', :'chosen', false),
    set_config('bench.seconds', :'seconds', false), set_config('bench.connection', :'connection', false) \g /dev/null
do language pllua_bg $lua$
local function value(sql, ...) return spi.execute(sql, ...)[1][1] end
local function setting(name) return value('select current_setting($1)', 'bench.' .. name) end
local connection, seconds = setting('connection'), tonumber(setting('seconds'))
local kRounds = 3

-- A backend of its own for each language, so that none works in the memory of another.
local function connect(name)
    spi.execute('select dblink_connect($1, $2)', name, connection)
    spi.execute('select dblink_exec($1, $2)', name, 'set search_path = ' .. name .. ', bench, public')
    spi.execute('select dblink_exec($1, $2)', name, 'set max_parallel_workers_per_gather = 0')
    return value("select v from dblink($1, 'select pg_backend_pid()') t(v int)", name)
end
local function disconnect(name) spi.execute('select dblink_disconnect($1)', name) end

-- The processor time of a backend that waits for its next command, in milliseconds. What it does after it has answered is over in less than the pause.
local function cpu(pid)
    bg.sleep(0.002)
    return value("select split_part(pg_read_file('/proc/' || $1 || '/schedstat', 0, 100), ' ', 1)::float8", pid) / 1e6
end

local function run(workload, name, pid)
    if workload.prepare then spi.execute('select dblink_exec($1, $2)', name, workload.prepare) end
    local before = cpu(pid)
    local got = value('select v from dblink($1, $2) t(v text)', name, workload.sql)
    return cpu(pid) - before, got
end

local function measure(workload)
    local pids, times, names = {}, {}, {}
    for name in setting('languages'):gmatch('%S+') do
        if value('select to_regproc($1) is not null', name .. '.' .. workload.needs) then table.insert(names, name) end
    end
    for _, name in ipairs(names) do times[name], pids[name] = {}, not workload.fresh and connect(name) or nil end
    local ended = bg.now() + seconds
    local round = 0
    while round <= kRounds or bg.now() < ended do
        for i = 1, #names do
            local name = names[(i + round) % #names + 1]        -- in turns, each first once
            local pid = pids[name] or connect(name)
            local time, got = run(workload, name, pid)
            if workload.fresh then disconnect(name) end
            if round > 0 then table.insert(times[name], time) end
            times[name].value = got
        end
        round = round + 1
    end
    for _, name in ipairs(names) do
        if not workload.fresh then disconnect(name) end
        table.sort(times[name])
        spi.execute('insert into measured values ($1, $2, $3::float8, $4)', workload.name, name, times[name][#times[name] // 2 + 1], times[name].value)
    end
end

local chosen = setting('chosen')
for _, workload in ipairs(spi.execute([[select name, needs, fresh, prepare, replace(query, '{n}', n::text) as sql from workloads
    where $1 = '' or strpos(' ' || $1 || ' ', ' ' || name || ' ') > 0 order by id]], chosen)) do
    measure(workload)
end
$lua$;

create temp view shown as
    select id, w.name, peer, target, own.cpu / nullif(peers.cpu, 0) as ratio
    from workloads w join measured own on own.workload = w.name and own.language = 'pllua_bg'
        left join measured peers on peers.workload = w.name and peers.language = w.peer;
create temp view cells as
    select workload, language, m.cpu, round((m.cpu / nullif(base.cpu, 0))::numeric, 2) ||
        case when m.value is distinct from base.value then '!' else '' end as ratio
    from measured m left join (select workload, cpu, value from measured where language = 'plpgsql') base using (workload);
\pset footer off
\pset null '-'
\echo 'processor time of the backend, medians; of plpgsql in ms and ns for each item, of the others the ratio to it'
\echo '!: another value than in plpgsql; *: the ratio to plpython3u is meant; -: the language cannot say it'
select w.name, w.what, round(p.cpu::numeric, 1) as "plpgsql ms", round((p.cpu * 1e6 / w.n)::numeric) as "ns each",
    a.ratio as pllua_bg, b.ratio as pllua, c.ratio as plpython3u,
    s.target || case when s.peer <> 'plpgsql' then '*' else '' end as target,
    case when s.ratio <= s.target then 'met' when s.ratio > s.target then 'MISSED' else '' end as verdict
from workloads w left join shown s using (name)
    left join cells p on p.workload = w.name and p.language = 'plpgsql' left join cells a on a.workload = w.name and a.language = 'pllua_bg'
    left join cells b on b.workload = w.name and b.language = 'pllua' left join cells c on c.workload = w.name and c.language = 'plpython3u'
where w.name in (select workload from measured) order by w.id;
\if :judge
select string_agg(format('%s: %s of %s, not %s', name, round(s.ratio::numeric, 2), peer, target), e'\n' order by id) filter (where s.ratio > target) as missed,
    string_agg(distinct workload, ', ') filter (where c.ratio like '%!') as wrong
from cells c left join shown s on s.name = c.workload and c.language = 'pllua_bg' \gset
\if :{?wrong}
    \echo 'different values:' :wrong
\endif
\if :{?missed}
    \echo 'MISSED'
    \echo :missed
    do $$ begin raise 'targets were missed'; end $$;
\endif
\endif
