-- bench/session/burst.sql: many small messages at once: commands sent without waiting, whose results are then taken together, against the same one
-- by one through dblink; and messages that have come while the launcher did something else.
--   psql variables: burst_turns; commands, notices: how many of each
select set_config('bench.turns', :'burst_turns', false), set_config('bench.commands', :'commands', false), set_config('bench.notices', :'notices', false) \g /dev/null
do language pllua_bg $lua$
local function setting(name) return tonumber(bench.value('select current_setting($1)', name)) end
local commands, notices = setting('bench.commands'), setting('bench.notices')
-- kB that are this process's own
local function private()
    local kb = 0
    for n in bench.value("select pg_read_file('/proc/self/smaps_rollup', 0, 100000)"):gmatch('Private_%a+:%s+(%d+) kB') do kb = kb + tonumber(n) end
    return kb
end
local remote = spi.prepare("select * from dblink('open', 'select 1') as t(x int)")
local held = 0
local ms = bench.figures('burst of ' .. commands .. ' commands', 'ms', setting('bench.turns'), {
    {'all sent, then one get', function()
        local before, future = private(), nil
        for _ = 1, commands do future = bench.session:run('select 1') end
        if future:get().value ~= 1 then error('wrong result') end
        held = math.max(held, private() - before)
    end, after = function()
        local n = 0
        for _ in bench.session:results() do n = n + 1 end
        if n ~= commands - 1 then error('results were lost: ' .. n) end
    end},
    {'dblink, one by one', function() for _ = 1, commands do remote:execute() end end},
})
bench.ratio('burst', 'all sent, then one get', 'dblink, one by one')
bench.target(commands .. ' commands sent, then one get', ms['all sent, then one get'], 'at most', 3000, 'ms')
bench.figure('burst of ' .. commands .. ' commands', 'memory of the launcher while it has the results', held / 1024, held / 1024, 'MB')
bench.target('memory of the launcher while it has the results', held / 1024, 'at most', 100, 'MB')

local heard = 0
local session <close> = bg.launch{on_notice = function() heard = heard + 1 end}
local future
local raise = "do 'begin for i in 1 .. " .. notices .. " loop raise warning ''%'', i; end loop; end'"
local taken = bench.figures('messages', 'ms', setting('bench.turns'), {
    {notices .. ' messages, taken after a pause', before = function()
        heard = 0
        future = session:run(raise)
        spi.execute('select pg_sleep(1)') -- the launcher does something else
    end, function()
        future:get()
        if heard ~= notices then error('messages were lost: ' .. heard) end
    end},
})
bench.target(notices .. ' messages, taken after a pause of 1 s', taken[notices .. ' messages, taken after a pause'], 'at most', 500, 'ms')
$lua$;
