-- bench/session/idle.sql: the private memory of an idle session's worker against the server's side of an idle dblink
-- connection, and the processor time burnt while a long statement runs.
--   psql variables: wait: seconds of waiting; tries
select set_config('bench.wait', :'wait', false), set_config('bench.tries', :'tries', false) \g /dev/null
do language pllua_bg $lua$
local function setting(name) return tonumber(bench.value('select current_setting($1)', name)) end
local function read(pid, file)
    return bench.value("select pg_read_file('/proc/' || $1::text || '/' || $2, 0, 100000)", pid, file)
end
-- kB that are the process's own, and its share of everything it has mapped
local function memory(pid)
    local text = read(pid, 'smaps_rollup')
    local function sum(pattern)
        local kb = 0
        for n in text:gmatch(pattern .. ':%s+(%d+) kB') do kb = kb + tonumber(n) end
        return kb
    end
    return sum('Private_%a+'), sum('\nPss')
end
local function middle(list) table.sort(list) return list[#list // 2 + 1] end

local kConnect = "select dblink_connect('idle', current_setting('bench.connection'))"
local kRemotePid = "select * from dblink('idle', 'select pg_backend_pid() from (select 1) as s') as t(pid int)"
local own, share, remote_own, remote_share = {}, {}, {}, {}
for i = 1, setting('bench.tries') do
    local session = bg.launch()
    local pid = session:exec('select pg_backend_pid() from (select 1) as s').value
    spi.execute(kConnect)
    local remote = bench.value(kRemotePid)
    own[i], share[i] = memory(pid)
    remote_own[i], remote_share[i] = memory(remote)
    spi.execute("select dblink_disconnect('idle')")
    spi.execute('set pllua_bg.pool_size = 0')
    session:close()
    spi.execute('reset pllua_bg.pool_size')
end
local function figure(what, list)
    local median = middle(list)
    bench.figure('idle', what, median, list[1], 'kB')
    return median
end
local mine, peer = figure('private memory of a session', own), figure("private memory of dblink's backend", remote_own)
bench.keep_ratio('idle', "private memory of a session / of dblink's backend", mine / peer)
-- Its share of the library's code becomes smaller with every process that uses it.
figure('proportional set size of a session', share)
figure("proportional set size of dblink's backend", remote_share)
bench.target("idle session / dblink's backend, private memory", mine / peer, 'at most', 1, 'of the memory')

-- ms of processor time so far
local function burnt(pid) return tonumber(read(pid, 'schedstat'):match('^%d+')) / 1e6 end
local kWait = 'select pg_sleep(' .. setting('bench.wait') .. ')'
local launcher, worker = bench.value('select pg_backend_pid()'), bench.session.pid
local remote = bench.value("select * from dblink('open', 'select pg_backend_pid()') as t(pid int)")
local function during(peer_pid, wait)
    local before, peer_before = burnt(launcher), burnt(peer_pid)
    wait()
    local after, peer_after = burnt(launcher), burnt(peer_pid)
    return after - before, peer_after - peer_before
end
local by_dblink = "select * from dblink('open', '" .. kWait .. "') as t(x text)"
local waiting, working, dblink_waiting = {}, {}, {}
for i = 1, 3 do
    waiting[i], working[i] = during(worker, function() bench.session:exec(kWait) end)
    dblink_waiting[i] = during(remote, function() spi.execute(by_dblink) end)
end
local function spent(what, list)
    local median = middle(list)
    bench.figure('processor time, a wait of ' .. setting('bench.wait') .. ' s', what, median, list[1], 'ms')
    return median
end
local launcher_ms = spent('launcher of a session', waiting)
local worker_ms = spent('worker of a session', working)
spent('caller of dblink', dblink_waiting)
bench.target('processor time of a wait of ' .. setting('bench.wait') .. ' s, launcher', launcher_ms, 'at most', 2, 'ms')
bench.target('processor time of a wait of ' .. setting('bench.wait') .. ' s, worker', worker_ms, 'at most', 2, 'ms')
$lua$;
