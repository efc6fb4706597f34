-- A statement for each item: sessions that have it prepared and several runs of it outstanding, so
-- that none waits for us between two items.

local core = require 'bg.core'
local wait = require 'bg.wait'
local map_sessions = require 'bg.map_sessions'

-- Runs outstanding in one session take about this many seconds together: enough to keep it busy,
-- little enough that others can take what comes after.
local AHEAD = 0.002
local MOST_AHEAD = 64

-- self.lanes: sessions and what is outstanding in each: the slots from lane.first to lane.last, of which
-- there may be lane.depth.
local Pipeline = {}
Pipeline.__index = Pipeline

local function has_session(self)
    for _, lane in ipairs(self.lanes) do
        if lane.session then return true end
    end
    return false
end

-- A lane that has a session and can go on with it; nil when there is none.
local function find_working(self)
    for _, lane in ipairs(self.lanes) do
        if lane.session and not lane.broken then return lane end
    end
end

local function open_session(self, lane)
    local handle = map_sessions.launch(self.options, not has_session(self))
    if not handle then
        lane.retry_at = wait.now() + map_sessions.RETRY
        return false
    end
    lane.session, lane.broken = handle, false
    lane.first, lane.last, lane.depth, lane.since = 1, 0, 1, wait.now()
    lane.statement, lane.preparing = core.prepare(handle, self.sql)
    return true
end

-- What a failed run means: it is repeated, or has failed for good. A broken session gets no more
-- items: it has ended, or it had a snapshot, in whose failed transaction nothing runs any more.
local function take_error(self, lane, slot, err)
    local options = self.options
    local not_run = lane.broken and options.snapshot and map_sessions.sqlstate(err) == '25P02'
    lane.broken = lane.broken or options.snapshot or map_sessions.is_gone(lane.session)
    if not_run then
        slot.attempts = slot.attempts - 1
    elseif slot.attempts > options.retry or not map_sessions.is_transient(err) then
        err = map_sessions.in_item(err, slot, self.caller)
        if options.errors == 'raise' then
            self.failure = self.failure or err
            return
        end
        slot.ok, slot.value = false, err
        self.settled[#self.settled + 1] = slot
        return
    end
    self.queue:give_back(slot)
end

-- Makes room for a new session when a broken one has told all it had.
local function renew(lane)
    if lane.broken and lane.first > lane.last then
        core.close(lane.session)
        lane.session = nil
    end
end

local function post(self, lane, slot)
    local args = self.options.args
    if args then return core.send(lane.session, lane.statement, args(slot.item)) end
    return core.send(lane.session, lane.statement, slot.item)
end

local function send(self, lane, slot)
    slot.attempts = slot.attempts + 1
    -- What cannot be made a parameter is an error of the item. pcall costs a subtransaction.
    local ok, id = (self.careful and pcall or lpcall or pcall)(post, self, lane, slot)
    if not ok then return take_error(self, lane, slot, id) end
    slot.id = id
    lane.last = lane.last + 1
    lane[lane.last] = slot
end

-- True when the lane can take one more item.
local function has_room(lane)
    if lane.session then renew(lane) end
    if not lane.session then return wait.now() >= lane.retry_at end
    return not lane.broken and lane.last - lane.first < lane.depth - 1
end

-- While somebody waits for a slot one lane goes on with the items, and the others give their sessions up
-- when they have told all they had. That lane; nil while nobody waits.
local function give_slots_up(self)
    local working = find_working(self)
    if not working or not core.is_slot_awaited() then return nil end
    for _, lane in ipairs(self.lanes) do
        local has_told_all = lane ~= working and lane.session and lane.first > lane.last
        if has_told_all and map_sessions.is_free(lane.session, self.options) then
            map_sessions.finish(lane.session, self.options)
            lane.session, lane.retry_at = nil, wait.now() + map_sessions.RETRY
        end
    end
    return working
end

-- Gives every lane as much as it should have, one item to each in turn.
local function fill(self)
    local only = give_slots_up(self)
    local given = true
    while given and not self.failure do
        given = false
        for _, lane in ipairs(self.lanes) do
            local slot = (not only or lane == only) and has_room(lane) and self.queue:take()
            if slot and (lane.session or open_session(self, lane)) then
                send(self, lane, slot)
                given = true
            elseif slot then
                self.queue:give_back(slot)
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

-- Takes what has ended in a lane, and says how many items that was.
local function collect(self, lane)
    local count = 0
    if lane.preparing then
        local ok, err = fetch(lane.session, lane.preparing)
        -- When the session is lost, so are its items, each of which has its own outcome.
        if ok == false and not map_sessions.is_gone(lane.session) then error(err, 0) end
        lane.preparing = nil
    end
    while lane.first <= lane.last and not self.failure do
        local slot = lane[lane.first]
        local ok, value = fetch(lane.session, slot.id)
        if ok == nil then break end
        lane[lane.first] = nil
        lane.first = lane.first + 1
        count = count + 1
        if ok then
            slot.ok, slot.value = true, value
            self.settled[#self.settled + 1] = slot
        else
            take_error(self, lane, slot, value)
        end
    end
    return count
end

-- As many runs at once as the time they take allows.
local function adapt(lane, count)
    local now = wait.now()
    local each = (now - lane.since) / count
    lane.since = now
    lane.depth = math.max(1, math.min(MOST_AHEAD, lane.depth * 2, AHEAD // each))
end

-- Waits until a command of a lane has ended; false when there is none, nil when the time is over.
local function wait_for_one(self)
    local sessions, ids, owners, n = {}, {}, {}, 0
    for _, lane in ipairs(self.lanes) do
        local head = lane.session and lane[lane.first]
        if head then
            n = n + 1
            sessions[n], ids[n], owners[n] = lane.session, lane.preparing or head.id, lane
        end
    end
    if n == 0 then return false end
    local deadline = self.options.deadline
    local lane = owners[wait.any(sessions, ids, n, deadline and math.max(0, deadline - wait.now()))]
    if not lane then return nil end
    local count = collect(self, lane)
    if count > 0 then adapt(lane, count) end
    return true
end

-- The next slot that has an outcome, in any order; nil when there is none left; nil, 'timeout'. A
-- failure is raised after what has come before it.
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
            local waited = wait_for_one(self)
            if waited == nil then return nil, 'timeout' end
            if waited then
                fill(self)
            elseif #self.settled == 0 then
                return nil
            end
        end
    end
end

function Pipeline:finish() -- internal
    for _, lane in ipairs(self.lanes) do
        if lane.session then map_sessions.finish(lane.session, self.options) end
    end
end

function Pipeline:__close()
    for _, lane in ipairs(self.lanes) do
        if lane.session then core.close(lane.session) end
    end
    map_sessions.end_keeping(self.options)
end

return function(sql, queue, options, caller) -- internal
    local self = {sql = sql, queue = queue, options = options, caller = caller,
        careful = options.errors == 'collect' or options.retry > 0, lanes = {}, settled = {}, first_settled = 1}
    for i = 1, math.min(options.workers, queue.total or math.huge) do
        self.lanes[i] = {first = 1, last = 0, retry_at = 0}
    end
    return setmetatable(self, Pipeline)
end
