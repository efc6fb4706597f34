-- Items by several sessions at once. An item has a name (`item`), a `statement`, and perhaps `size`, `key` and
-- `after` (see order), `refused` (an error: it cannot run), `place` (see elsewhere; all items have it, or none),
-- `work` (a function of the session and a function that waits for a future, instead of the statement). What becomes
-- of it is kept in it: ok, tag, sqlstate, error, started, seconds, pid.

local core = require 'bg.core'
local channel = require 'bg.channel'
local map = require 'bg.map'
local wait = require 'bg.wait'
local elsewhere = require 'dba.elsewhere'
local last_run = require 'dba.last_run'
local order = require 'dba.order'
local show = require 'dba.show'

local INTERVAL = 1 -- seconds between two lines of progress

local Run = {}
Run.__index = Run

-- By how much the server's clock is ahead of wait.now(), which is asked later: nothing seems to begin after it did.
local function clock()
    local row = spi.execute('select extract(epoch from pg_catalog.clock_timestamp())::pg_catalog.float8 as now')[1]
    local ahead = row.now - wait.now()
    spi.commit() -- has no snapshot any more
    return ahead
end

local function names_of_running(self)
    local names = {}
    for _, item in ipairs(self.items) do
        if item.running then names[#names + 1] = item.item end
    end
    return names
end

-- At most once a second, and only when something has changed; at the end in any case.
local function tell(self, ended)
    if not self.options.progress then return end
    local now = wait.now()
    if not ended and (not self.has_news or now - self.told < INTERVAL) then return end
    self.told, self.has_news = now, false
    print(show.progress(self.options.caller, self.ended, #self.items, now - self.begun, ended, names_of_running(self)))
end

local function begin(self, item)
    if item.ok == false then self.ended = self.ended - 1 end -- it is tried again
    item.ok, item.sqlstate, item.error, item.tag = nil, nil, nil, nil
    item.running, item.since = true, wait.now()
    item.started = self.clock + item.since
    self.has_news = true
end

local function finish(self, item)
    item.running, item.seconds = nil, wait.now() - item.since
    self.ended, self.has_news = self.ended + 1, true
    core.report_progress(self.ended, #self.items)
end

-- Those who wait for an item that can run look again.
local function wake(self)
    for _ = 1, self.waiting do self.news:send(true, 0) end
end

-- What the item returns, else raises. A session that is left in a transaction has not done what it was given.
local function work_in(self, item, session)
    local function await(future)
        while not future:wait(INTERVAL) do tell(self) end
        return (future:get())
    end
    item.pid = session.pid
    if item.work then return item.work(session, await) end
    local result = await(session:run(item.statement))
    if not self.options.snapshot and core.status(session).transaction ~= 'I' then
        core.raise('25001', 'the statement has left its transaction open, which was rolled back')
    end
    return result
end

local function raise_refusal(item)
    core.raise(item.refused.sqlstate, item.refused.message)
end

-- True and what the item returns, or false and the error; open() gives its session.
local function try(self, item, open)
    if item.refused then return lpcall(raise_refusal, item) end
    local session, err = open() -- an error of the server itself would go through lpcall
    if not session then return false, err end
    return lpcall(work_in, self, item, session)
end

-- Keeps what has become of the item.
local function record(self, item, ok, result)
    if ok then
        item.ok, item.tag = true, result and result.tag
    else
        local is_error = type(result) == 'userdata'
        item.ok, item.sqlstate = false, is_error and result.sqlstate or nil
        item.error = is_error and result.message or tostring(result)
    end
    finish(self, item)
end

-- Does the item: true, or false and the error.
local function attempt(self, item, open)
    begin(self, item)
    tell(self)
    local ok, result = try(self, item, open)
    record(self, item, ok, result)
    return ok, result
end

-- Which items wait for each: lists by item.
local function dependents_of(items)
    local lists = {}
    for _, item in ipairs(items) do
        for _, needed in ipairs(item.after or {}) do
            lists[needed] = lists[needed] or {}
            table.insert(lists[needed], item)
        end
    end
    return lists
end

-- Those that wait for one that has failed are not run.
local function refuse_dependents(self, item)
    for _, other in ipairs(self.dependents[item] or {}) do
        local message = string.format('%s, which it is made of, has failed', item.item)
        other.refused = other.refused or {sqlstate = '55000', message = message}
    end
end

local function settle(self, item)
    if item.ok == false then refuse_dependents(self, item) end
    self.order:give(item)
    wake(self)
end

-- For the tasks: the next item, waited for.
local function next_item(self)
    while true do
        local item, more = self.order:take()
        if item or not more then return item end
        self.waiting = self.waiting + 1
        self.news:receive()
        self.waiting = self.waiting - 1
    end
end

-- What errors say of an item.
local item_metatable = {
    __tostring = function(item) return item.statement end,
}

local function count_failed(items)
    local failed = 0
    for _, item in ipairs(items) do
        if item.ok == false then failed = failed + 1 end
    end
    return failed
end

-- The plan shows them as one session would begin them.
local function dry_run(items)
    local from, planned = order.new(items), {}
    for item in from.take, from do
        planned[#planned + 1] = item
        from:give(item)
    end
    for _, line in ipairs(show.plan(planned)) do print(line) end
end

-- A session does item after item.
local function with_sessions(self)
    local options = self.options
    local source = setmetatable({n = #self.items}, {__call = function() return next_item(self) end})
    local map_options = {
        workers = options.workers,
        errors = options.on_error == 'stop' and 'raise' or 'collect',
        retry = options.retry,
        name = options.caller,
        snapshot = options.snapshot,
    }
    local function work(session, item)
        local ok, err = attempt(self, item, function() return session end)
        if not ok then error(err, 0) end
    end
    for _, item, _, err in map.each(source, work, map_options) do
        if item.ok == nil then record(self, item, false, err) end -- an error of the server here goes through lpcall
        settle(self, item)
        tell(self)
    end
end

-- Each item has a session of its own, elsewhere.
local function with_a_session_each(self)
    local options = self.options
    local workers = math.min(options.workers, #self.items)
    elsewhere(workers, options.caller, function() return next_item(self) end, function(item, open)
        local ok, err = attempt(self, item, open)
        if not ok and options.on_error == 'stop' then
            error(core.add_context(err, string.format('%s of %s', item.item, options.caller)), 0)
        end
        settle(self, item)
        tell(self)
    end)
end

-- Runs the items: how many are done, how many have failed, and how long it took, as INTERVAL reads it. The first
-- error is raised with on_error = 'stop', which cancels the others.
return function(items, options) -- internal
    if options.dry_run then
        dry_run(items)
        return 0, 0, '0'
    end
    for _, item in ipairs(items) do setmetatable(item, item_metatable) end
    last_run.keep(items)
    local begun = wait.now()
    local self = setmetatable({items = items, options = options, order = order.new(items), news = channel(),
        dependents = dependents_of(items),
        waiting = 0, ended = 0, begun = begun, told = begun, clock = clock()}, Run)
    if items[1] and items[1].place then
        with_a_session_each(self)
    else
        with_sessions(self)
    end
    tell(self, true)
    local failed = count_failed(items)
    if failed > 0 then
        spi.warning('01000', string.format('%s: %d of %d failed', options.caller, failed, #items), nil,
            'See select * from bg.last_run where not ok.')
    end
    return self.ended - failed, failed, string.format('%.6f seconds', wait.now() - begun)
end
