-- bg.map, bg.each and bg.on_all over several servers, against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestServers = {}

local launch = core.launch

function TestServers:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time, core.log = 0, {}
end

function TestServers:tearDown() core.launch = launch end

-- Counts the sessions of each server as they are launched; `most` may be there at a time.
local function watch(most)
    local seen, living = {}, 0
    function core.launch(options)
        living = 0
        for _ in pairs(core.sessions) do living = living + 1 end
        if most and living >= most then core.raise('53000', 'no slot', 'max_worker_processes') end
        seen[options.server] = (seen[options.server] or 0) + 1
        return launch(options)
    end
    return seen
end

local function server_of(session) return core.sessions[core.number(session)].options.server end

-- Where an item ran, after a second.
local function place(session)
    session:exec('ok x after 1')
    return server_of(session)
end

local function nothing_is_left()
    lu.assertEquals(#bg.sessions(), 0)
    lu.assertNil(core.cooperative)
end

function TestServers:test_one_server()
    local seen = watch()
    local r = bg.map({1, 2, 3}, place, {server = 'a', workers = 2})
    lu.assertEquals({r[1], r[2], r[3]}, {'a', 'a', 'a'})
    lu.assertEquals(seen, {a = 2})
    nothing_is_left()
end

function TestServers:test_any_item_on_any_server()
    local seen, items = watch(), {}
    for i = 1, 12 do items[i] = i end
    local r = bg.map(items, place, {server = {'a', 'b', 'c'}, workers = 2})
    local counts = {}
    for i = 1, r.n do counts[r[i]] = (counts[r[i]] or 0) + 1 end
    lu.assertEquals(counts, {a = 4, b = 4, c = 4})
    lu.assertEquals(seen, {a = 2, b = 2, c = 2})
    lu.assertEquals(core.time, 2)
    nothing_is_left()
end

function TestServers:test_statement_by_server_of_the_item()
    local seen, items = watch(), {}
    for i = 1, 9 do items[i] = i end
    local r = bg.map(items, 'ok x after 1', {server = function(i) return 'shard' .. i % 3 end, workers = 1})
    lu.assertEquals(r.n, 9)
    for i = 1, 9 do lu.assertEquals(r[i].value, 'x') end
    lu.assertEquals(seen, {shard0 = 1, shard1 = 1, shard2 = 1})
    lu.assertEquals(core.time, 4) -- to prepare it takes as long here
    nothing_is_left()
end

function TestServers:test_results_in_the_order_of_items()
    local items = {}
    for i = 1, 20 do items[i] = i end
    local r = bg.map(items, function(session, item)
        session:exec('ok x after ' .. 21 - item)
        return server_of(session) .. item
    end, {server = function(i) return i % 2 == 0 and 'even' or 'odd' end})
    for i = 1, 20 do lu.assertEquals(r[i], (i % 2 == 0 and 'even' or 'odd') .. i) end
    nothing_is_left()
end

-- Fewer slots than servers: those that find none wait for the others.
function TestServers:test_few_slots()
    for most = 1, 4 do
        watch(most)
        local items = {}
        for i = 1, 12 do items[i] = i end
        local r = bg.map(items, place, {server = function(i) return 's' .. i % 4 end, workers = 2})
        for i = 1, 12 do lu.assertEquals(r[i], 's' .. i % 4) end
        r = bg.map(items, place, {server = {'a', 'b', 'c', 'd'}, workers = 2})
        lu.assertEquals(r.n, 12)
        for i = 1, 12 do lu.assertNotNil(r[i]) end
        nothing_is_left()
        core.launch = launch
    end
end

function TestServers:test_no_slot_at_all()
    watch(0)
    local ok, err = pcall(bg.map, {1, 2}, place, {server = {'a', 'b'}})
    lu.assertFalse(ok)
    lu.assertEquals(err.sqlstate, '53000')
    nothing_is_left()
end

function TestServers:test_an_error_ends_the_others()
    watch()
    local ok, err = pcall(bg.map, {1, 2, 3}, function(session, item)
        session:exec(item == 2 and 'fail no after 1' or 'ok x after 100')
    end, {server = {'a', 'b', 'c'}})
    lu.assertFalse(ok)
    lu.assertEquals(err.context, 'item 2 (2) of bg.map')
    lu.assertEquals(core.time, 1)
    nothing_is_left()
end

function TestServers:test_collect_and_retry()
    local tries = 0
    local r, e = bg.map({'x', 'y', 'z'}, function(session, item)
        if item == 'y' then core.raise('22012', 'no') end
        tries = tries + 1
        if tries == 1 then core.raise('40001', 'again') end
        return place(session)
    end, {server = function(item) return 's' .. item end, errors = 'collect', retry = 1})
    lu.assertEquals({r[1], r[3], e[2].message, e.n}, {'sx', 'sz', 'no', 1})
    nothing_is_left()
end

function TestServers:test_each_and_its_pace()
    local started = 0
    for r, item in bg.each({1, 2, 3, 4, 5, 6}, function(session, item)
        started = started + 1
        return place(session) .. item
    end, {server = {'a', 'b'}, workers = 1}) do
        lu.assertStrContains(r, tostring(item))
        lu.assertTrue(started <= 3)
        if item >= 2 then break end
    end
    nothing_is_left()
end

function TestServers:test_timeout()
    lu.assertEquals({bg.map({1, 2, 3, 4}, place, {server = {'a', 'b'}, workers = 1, timeout = 1.5})}, {nil, 'timeout'})
    lu.assertEquals({bg.map({1, 2, 3, 4}, 'ok x after 1', {server = {'a', 'b'}, workers = 1, timeout = 1.5})},
        {nil, 'timeout'})
    nothing_is_left()
end

function TestServers:test_inside_a_scope()
    watch()
    local first, second = bg.scope(function(sc)
        local a = sc:go(function() return bg.map({1, 2}, place, {server = {'a', 'b'}, workers = 1}) end)
        local b = sc:go(function() return bg.on_all({'c', 'd'}, 'ok y after 1') end)
        return a:get(), b:get()
    end)
    lu.assertEquals(first.n + second.n, 4)
    lu.assertEquals(core.time, 1)
    nothing_is_left()
end

function TestServers:test_on_all()
    local seen = watch()
    local r = bg.on_all({'a', 'b', 'c'}, 'ok y after 2', 1, nil)
    lu.assertEquals({r.n, r[1].value, r[3].value}, {3, 'y', 'y'})
    lu.assertEquals(seen, {a = 1, b = 1, c = 1})
    lu.assertEquals(core.time, 2)
    lu.assertEquals(bg.on_all({}, 'ok'), {n = 0})
    local ok, err = pcall(bg.on_all, {'a', 'b'}, 'fail no')
    lu.assertFalse(ok)
    lu.assertStrMatches(err.context, 'item 1 %(a%) of bg.on_all')
    nothing_is_left()
end

function TestServers:test_misuse()
    local function fails(message, ...)
        local ok, err = pcall(...)
        lu.assertFalse(ok)
        lu.assertEquals(err.sqlstate, '22023')
        lu.assertStrContains(err.message, message)
        nothing_is_left()
    end
    fails('must be a string or a table of options', bg.map, {1}, 'ok', {server = 1})
    fails('is an empty list', bg.map, {1}, 'ok', {server = {}})
    fails('each of option server must be a string', bg.map, {1}, 'ok', {server = {'a', 2}})
    local function known(item) return item == 'x' and 'a' or nil end
    fails('the server of item 2', bg.map, {'x', 'y'}, 'ok', {server = known})
    fails('the servers must be a list', bg.on_all, 'a', 'ok')
    fails('the statement must be a string', bg.on_all, {'a'})
    fails('must be words, not "a b"', bg.launch, {server = {['a b'] = 1}})
    fails('connection option host must be', bg.launch, {server = {host = print}})
end

function TestServers:test_connection_options()
    local launched = {}
    function core.launch(options)
        launched[#launched + 1] = options.server
        return launch(options)
    end
    bg.launch{server = {port = 5432.0, host = [[a'b\c d]], keepalives = true}}:close()
    bg.launch{server = 'host=x'}:close()
    lu.assertEquals(launched, {[[host='a\'b\\c d' keepalives='1' port='5432']], 'host=x'})
end

os.exit(lu.LuaUnit.run())
