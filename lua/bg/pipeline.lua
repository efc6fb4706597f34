-- A statement for each item: sessions that have it prepared and several runs of it outstanding, so
-- that none waits for us between two items.

local core = require 'bg.core'
local wait = require 'bg.wait'
local workers = require 'bg.map_sessions'

-- Runs outstanding in one session take about this many seconds together: enough to keep it busy,
-- little enough that others can take what comes after.
local AHEAD = 0.002
local MOST_AHEAD = 64

local Pipeline = {}
Pipeline.__index = Pipeline

local function has_session(self)
    for _, worker in ipairs(self.workers) do
        if worker.session then return true end
    end
    return false
end

local function open_session(self, worker)
    local handle = workers.launch(self.options, not has_session(self))
    if not handle then
        worker.rests_until = wait.now() + workers.REST
        return false
    end
    worker.session, worker.broken = handle, false
    worker.first, worker.last, worker.depth, worker.since = 1, 0, 1, wait.now()
    worker.statement, worker.preparing = core.prepare(handle, self.sql)
    return true
end

-- What a failed run means: it is repeated, or has failed for good. A broken session gets no more
-- items: it has ended, or it had a snapshot, in whose failed transaction nothing runs any more.
local function take_error(self, worker, slot, err)
    local options = self.options
    local not_run = worker.broken and options.snapshot and workers.sqlstate(err) == '25P02'
    worker.broken = worker.broken or options.snapshot or workers.is_gone(worker.session)
    if not_run then
        slot.attempts = slot.attempts - 1
    elseif slot.attempts > options.retry or not workers.is_transient(err) then
        err = workers.in_item(err, slot, self.caller)
        if options.errors == 'raise' then
            self.failure = self.failure or err
            return
        end
        slot.ok, slot.value = false, err
        self.settled[#self.settled + 1] = slot
        return
    end
    self.items:give_back(slot)
end

-- Makes room for a new session when a broken one has told all it had.
local function renew(worker)
    if worker.broken and worker.first > worker.last then
        core.close(worker.session)
        worker.session = nil
    end
end

local function post(self, worker, slot)
    local args = self.options.args
    if args then return core.send(worker.session, worker.statement, args(slot.item)) end
    return core.send(worker.session, worker.statement, slot.item)
end

local function send(self, worker, slot)
    slot.attempts = slot.attempts + 1
    -- What cannot be made a parameter is an error of the item. pcall costs a subtransaction.
    local ok, id = (self.careful and pcall or lpcall or pcall)(post, self, worker, slot)
    if not ok then return take_error(self, worker, slot, id) end
    slot.id = id
    worker.last = worker.last + 1
    worker[worker.last] = slot
end

-- True when the worker can take one more item.
local function has_room(worker)
    if worker.session then renew(worker) end
    if not worker.session then return wait.now() >= worker.rests_until end
    return not worker.broken and worker.last - worker.first < worker.depth - 1
end

-- Gives every worker as much as it should have, one item to each in turn.
local function fill(self)
    local given = true
    while given and not self.failure do
        given = false
        for _, worker in ipairs(self.workers) do
            local slot = has_room(worker) and self.items:take()
            if slot and (worker.session or open_session(self, worker)) then
                send(self, worker, slot)
                given = true
            elseif slot then
                self.items:give_back(slot)
            end
        end
    end
end

-- The outcome of a command: as core.fetch, but nothing only while it is pending.
local function fetch(handle, id)
    local ok, value = core.fetch(handle, id)
    if ok ~= nil then return ok, value end
    local state = core.state(handle, id)
    if state == 'pending' then return nil end
    if state ~= 'gone' then return core.fetch(handle, id) end
    local _, err = (lpcall or pcall)(core.raise, '08003',
        'the background session has been closed or detached')
    return false, err
end

-- Takes what has ended of a worker, and says how many items that was.
local function collect(self, worker)
    local count = 0
    if worker.preparing then
        local ok, err = fetch(worker.session, worker.preparing)
        -- When the session is lost, so are its items, each of which has its own outcome.
        if ok == false and not workers.is_gone(worker.session) then error(err, 0) end
        worker.preparing = nil
    end
    while worker.first <= worker.last and not self.failure do
        local slot = worker[worker.first]
        local ok, value = fetch(worker.session, slot.id)
        if ok == nil then break end
        worker[worker.first] = nil
        worker.first = worker.first + 1
        count = count + 1
        if ok then
            slot.ok, slot.value = true, value
            self.settled[#self.settled + 1] = slot
        else
            take_error(self, worker, slot, value)
        end
    end
    return count
end

-- As many runs at once as the time they take allows.
local function adapt(worker, count)
    local now = wait.now()
    local each = (now - worker.since) / count
    worker.since = now
    worker.depth = math.max(1, math.min(MOST_AHEAD, worker.depth * 2, AHEAD // each))
end

-- Waits until a command of a worker has ended; false when there is none.
local function wait_for_one(self)
    local sessions, ids, owners, n = {}, {}, {}, 0
    for _, worker in ipairs(self.workers) do
        local head = worker.session and worker[worker.first]
        if head then
            n = n + 1
            sessions[n], ids[n], owners[n] = worker.session, worker.preparing or head.id, worker
        end
    end
    if n == 0 then return false end
    local worker = owners[wait.any(sessions, ids, n)]
    local count = collect(self, worker)
    if count > 0 then adapt(worker, count) end
    return true
end

-- The next slot that has an outcome, in any order; nil when there is none left. A failure is raised
-- after what has come before it.
function Pipeline:next() -- internal
    while true do
        local settled = self.settled
        if self.first_settled <= #settled then
            local slot = settled[self.first_settled]
            settled[self.first_settled] = false
            self.first_settled = self.first_settled + 1
            return slot
        end
        if self.failure then error(self.failure, 0) end
        self.settled, self.first_settled = {}, 1
        fill(self)
        if not self.failure then
            if wait_for_one(self) then
                fill(self)
            elseif #self.settled == 0 then
                return nil
            end
        end
    end
end

function Pipeline:finish() -- internal
    for _, worker in ipairs(self.workers) do
        if worker.session then workers.finish(worker.session, self.options) end
    end
end

function Pipeline:__close()
    for _, worker in ipairs(self.workers) do
        if worker.session then core.close(worker.session) end
    end
end

return function(sql, items, options, caller) -- internal
    local self = {sql = sql, items = items, options = options, caller = caller,
        careful = options.errors == 'collect' or options.retry > 0, workers = {}, settled = {}, first_settled = 1}
    for i = 1, math.min(options.workers, items.total or math.huge) do
        self.workers[i] = {first = 1, last = 0, rests_until = 0}
    end
    return setmetatable(self, Pipeline)
end
