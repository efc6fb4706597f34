-- All orders in which small trees of tasks can end: each permutation of times, each choice of those that fail, a
-- timeout or a cancel at each moment between. What comes out is compared with a model that knows no coroutines.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'
local permutations = require 'permutations'
local scheduler = require 'bg.scheduler'

-- A tree is a list of trees, a scope, or the number of a leaf: a task that runs one command in a session of its own.
local TREES = {
    {1, 2}, {{1}, 2}, {1, {2}}, {{{1}}, 2},
    {1, 2, 3}, {{1, 2}, 3}, {1, {2, 3}}, {{1}, {2}, 3}, {{1, {2}}, 3},
    {1, 2, 3, 4}, {{1, 2}, {3, 4}}, {{1, 2, 3}, 4}, {{{1, 2}, 3}, 4}, {1, {2, {3, {4}}}},
}

-- The scopes of a tree, itself the first; the number of its leaves.
local function parts_of(tree, scopes)
    if type(tree) == 'number' then return 1 end
    scopes[#scopes + 1] = tree
    local leaves = 0
    for _, part in ipairs(tree) do leaves = leaves + parts_of(part, scopes) end
    return leaves
end

-- A plan: {times = of each leaf, fails = set of leaves, timeout = seconds, timeout_of = scope, cancel_at = seconds,
-- cancelled = a leaf or a scope}.

-- What the model says of a tree: when it ends, its values in order, and who has failed.
local function foretell(tree, plan)
    if type(tree) == 'number' then
        local at = plan.times[tree]
        return at, tostring(tree), plan.fails[tree] and tree or nil
    end
    local last, values, failed_at, failed = 0, {}, math.huge, nil
    for i, part in ipairs(tree) do
        local at, value, who = foretell(part, plan)
        if plan.cancelled == part and plan.cancel_at < at then at, value, who = plan.cancel_at, 'cancelled', nil end
        if who and at < failed_at then failed_at, failed = at, who end
        last, values[i] = math.max(last, at, plan.cancelled == part and plan.cancel_at or 0), value
    end
    local ends = math.min(last, failed_at)
    if plan.timeout_of == tree and plan.timeout < ends then return plan.timeout, 'timeout' end
    if failed then return failed_at, nil, failed end
    return last, '(' .. table.concat(values, ' ') .. ')'
end

local open -- how many blocks of tasks are open

local function block()
    open = open + 1
    return setmetatable({}, {__close = function() open = open - 1 end})
end

local perform

local function perform_leaf(leaf, plan)
    local _ <close> = block()
    local s <close> = bg.launch()
    local word = plan.fails[leaf] and 'fail' or 'ok'
    return s:exec(string.format('%s %d after %d', word, leaf, plan.times[leaf])).value
end

-- Does what the model foretells, and gives the values; `tasks` gets all that are started.
function perform(tree, plan, tasks)
    if type(tree) == 'number' then return perform_leaf(tree, plan) end
    local values, why = bg.scope(function(sc)
        local _ <close> = block()
        local own, list = {}, {}
        for i, part in ipairs(tree) do
            own[i] = sc:go(perform, part, plan, tasks)
            tasks[#tasks + 1] = own[i]
            if plan.cancelled == part then
                sc:go(function()
                    bg.sleep(plan.cancel_at)
                    own[i]:cancel()
                end)
            end
        end
        for i, task in ipairs(own) do
            local value, reason = task:get()
            list[i] = value or reason
        end
        return '(' .. table.concat(list, ' ') .. ')'
    end, plan.timeout_of == tree and {timeout = plan.timeout} or nil)
    return values or why
end

-- The tree and the plan, for people.
local function describe(part)
    if type(part) ~= 'table' then return tostring(part) end
    local list = {}
    for i = 1, #part do list[i] = describe(part[i]) end
    return '{' .. table.concat(list, ' ') .. '}'
end

local function check(tree, plan)
    core.time, open = 0, 0
    local at, value, failed = foretell(tree, plan)
    local tasks = {}
    local ok, got = pcall(perform, tree, plan, tasks)
    if failed then value, got = tostring(failed), type(got) == 'table' and got.message or got end
    local left = open
    for _, task in ipairs(tasks) do
        if not task:done() then left = left + 1 end
    end
    if ok == not failed and got == value and core.time == at and left == 0 and not next(core.sessions)
        and not core.cooperative then
        return
    end
    lu.fail(string.format('tree %s, times %s, fails %s, timeout %s of %s, cancel of %s at %s: '
        .. '%s at %s, not %s at %s; %d left', describe(tree),
        describe(plan.times), describe(plan.fails), plan.timeout_of and plan.timeout,
        describe(plan.timeout_of), describe(plan.cancelled), plan.cancel_at, got, core.time, value, at, left))
end

-- Calls fn() with each timeout of one of the scopes, and each cancel of one of their parts, in the plan.
local function disturb(scopes, leaves, plan, fn)
    for moment = 0.5, leaves do
        plan.timeout = moment
        for _, scope in ipairs(scopes) do
            plan.timeout_of = scope
            fn()
        end
        plan.timeout_of, plan.cancel_at = nil, moment
        for _, scope in ipairs(scopes) do
            for _, part in ipairs(scope) do
                plan.cancelled = part
                fn()
            end
        end
        plan.cancelled = nil
    end
end

TestInterleavings = {}

function TestInterleavings:test_every_order_of_ends_errors_cancels_and_timeouts()
    local cases = 0
    for _, tree in ipairs(TREES) do
        local scopes = {}
        local leaves = parts_of(tree, scopes)
        local function try(plan)
            check(tree, plan)
            cases = cases + 1
        end
        for choice = 0, 2 ^ leaves - 1 do
            local fails, failing = {}, 0
            for leaf = 1, leaves do
                fails[leaf] = choice & 1 << leaf - 1 ~= 0
                failing = failing + (fails[leaf] and 1 or 0)
            end
            permutations(leaves, function(times)
                local plan = {times = times, fails = fails}
                try(plan)
                if leaves < 4 or failing < 2 then disturb(scopes, leaves, plan, function() try(plan) end) end
            end)
        end
    end
    lu.assertEquals(cases, 26800)
end

-- What the body of a scope does with a channel, a letter for each step. Tasks that have been started run when it
-- passes.
local STEPS = {}

local function start_sender(self, timeout)
    self.senders[#self.senders + 1] = self.scope:go(function()
        local value = self:new_value()
        self:note_send(value, self.channel:send(value, timeout))
    end)
end

local function start_receiver(self, timeout)
    local number = #self.receivers + 1
    self.receivers[number] = self.scope:go(function()
        local in_order = #self.channel == 0 and not timeout
        self:note_value(self.channel:receive(timeout), in_order and number)
    end)
end

function STEPS.S(self) start_sender(self) end
function STEPS.T(self) start_sender(self, 1) end
function STEPS.R(self) start_receiver(self) end
function STEPS.Q(self) start_receiver(self, 1) end

function STEPS.s(self) -- sends if it can be done at once
    local value = self:new_value()
    self:note_send(value, self.channel:send(value, 0))
end

function STEPS.r(self) -- receives what is there
    self:note_value(self.channel:receive(0))
end

-- Cancels the first of the list that has not ended.
local function cancel_one(list)
    for _, task in ipairs(list) do
        if task:cancel() then return end
    end
end

function STEPS.c(self) cancel_one(self.receivers) end
function STEPS.d(self) cancel_one(self.senders) end
function STEPS.p() scheduler.pass() end
function STEPS.w() bg.sleep(1) end -- those that have waited so long give up
function STEPS.x(self) self.channel:close() end

local Play = {}
Play.__index = Play

function Play:new_value()
    self.last_value = self.last_value + 1
    return self.last_value
end

-- What was sent must arrive, what was not must not; of a sender that was cancelled it may.
function Play:note_send(value, sent, why)
    self.sent[value] = sent or false
    assert(sent or why == 'timeout' or why == 'closed' and self.channel.closed)
end

-- Values arrive in the order in which they were sent, and receivers that have to wait get theirs in the order in which
-- they came; one that a timeout has woken at the same moment may be earlier.
function Play:note_value(value, receiver)
    if value == nil then return end
    assert(value > (self.received[#self.received] or 0), 'order of values')
    assert(not receiver or receiver > self.last_receiver, 'order of receivers')
    self.received[#self.received + 1], self.last_receiver = value, receiver or self.last_receiver
end

function Play:run(word)
    bg.scope(function(sc)
        self.scope = sc
        for letter in word:gmatch('.') do STEPS[letter](self) end
        scheduler.pass()
        for _, task in ipairs(self.receivers) do
            assert(task:done() or #self.channel == 0, 'nobody waits for what is there')
        end
        repeat
            local value = self.channel:receive(0)
            self:note_value(value)
        until value == nil
        assert(#self.channel == 0)
        self.channel:close()
    end)
    local arrived = {}
    for _, value in ipairs(self.received) do arrived[value] = true end
    for value = 1, self.last_value do
        assert(self.sent[value] == nil or self.sent[value] == (arrived[value] or false), 'a value is lost')
    end
    assert(not core.cooperative)
end

-- Calls fn(word) for each word of n of the letters after a prefix. Without those in which nothing is there to be
-- cancelled, or a pass follows another one.
local function words(prefix, n, letters, fn)
    if n == 0 then return fn(prefix) end
    for letter in letters:gmatch('.') do
        local idle = letter == 'p' and prefix:find('p?$') <= #prefix
            or letter == 'c' and not prefix:find('[RQ]')
            or letter == 'd' and not prefix:find('[ST]')
        if not idle then words(prefix .. letter, n - 1, letters, fn) end
    end
end

function TestInterleavings:test_everything_that_tasks_can_do_with_a_channel()
    local cases = 0
    local function play(word)
        for capacity = 0, 2 do
            local own = setmetatable({channel = bg.channel(capacity), senders = {}, receivers = {},
                sent = {}, received = {}, last_value = 0, last_receiver = 0}, Play)
            local ok, err = pcall(own.run, own, word)
            if not ok then lu.fail(string.format('%s, capacity %d: %s', word, capacity, err)) end
            cases = cases + 1
        end
    end
    words('', 5, 'SRsrcdpx', play)
    for _, prefix in ipairs{'RRp', 'SSp', 'RRSp', 'SSSp'} do words(prefix, 4, 'SRsrcdpx', play) end
    for _, prefix in ipairs{'', 'QRp', 'TSTp'} do words(prefix, 4, 'QTRsrcdw', play) end
    lu.assertEquals(cases, 87696)
end

local function sleep_until(moment) bg.sleep(moment - bg.now()) end

-- fn(), in so many scopes one in the other, each with another task; the timeout is that of the innermost.
local function in_scopes(depth, timeout, fn)
    if depth == 0 then return fn() end
    return bg.scope(function(sc)
        sc:go(bg.sleep, 0.25)
        in_scopes(depth - 1, timeout, fn)
    end, depth == 1 and timeout and {timeout = timeout} or nil)
end

-- A task sends two values, one closes the channel, one receives in scopes of its own.
local function send_across(times, capacity, depth, cancel_at, timeout)
    core.time = 0
    local sent, received = {}, {}
    local channel = bg.channel(capacity)
    bg.scope(function(sc)
        sc:go(function()
            for i = 1, 2 do
                sleep_until(math.max(times[i], bg.now()))
                sent[i] = channel:send(i) or false
            end
        end)
        sc:go(function()
            sleep_until(times[3])
            channel:close()
        end)
        local receiver = sc:go(in_scopes, depth, timeout, function()
            sleep_until(times[4])
            for value in channel:values() do received[#received + 1] = value end
        end)
        if cancel_at then
            sleep_until(cancel_at)
            receiver:cancel()
        end
    end)
    for value in channel:values() do received[#received + 1] = value end
    local all = {}
    for i = 1, 2 do
        if sent[i] then all[#all + 1] = i end
    end
    assert(table.concat(received, ' ') == table.concat(all, ' '), 'values')
    local interrupted = cancel_at or timeout
    assert(core.time == 4 or interrupted and core.time < 4, 'it ends with the last event')
    assert(not core.cooperative)
end

function TestInterleavings:test_channels_between_scopes_in_scopes()
    permutations(4, function(times)
        for capacity = 0, 2 do
            for depth = 0, 3 do
                send_across(times, capacity, depth)
                for moment = 0.5, 3.5 do
                    send_across(times, capacity, depth, moment)
                    if depth > 0 then send_across(times, capacity, depth, nil, moment) end
                end
            end
        end
    end)
end

os.exit(lu.LuaUnit.run())
