-- Gives jobs to lanes. `self` is the scheduler.

local core = require 'bg.core'
local results = require 'bg.jobs.results'
local roles = require 'bg.jobs.roles'

local dispatch = {}

-- Gives the lane the job that is next for its role; true when there was one. Jobs that may have run when the server
-- crashed are sent later, those that did to an empty lane, where they run at once.
local function feed(self, lane, suspects)
    if not lane:has_room() then return false end
    local job = self.ready:first(lane.owner, lane)
    if not job or (job.outside or job.is_suspect) and not lane:is_empty() then return false end
    local next_at, err = results.next_time(job)
    if err then
        results.refuse(self, job, err)
        return true
    end
    self.ready:start(job, lane)
    lane:reserve()
    if job.is_old then suspects[#suspects + 1] = {job = job, next_at = next_at} else lane:send(job, next_at) end
    return true
end

-- It is written down before that these jobs run: so that one that brings the server down does so only a few times.
local function send_suspects(self, suspects)
    if #suspects == 0 then return end
    local ids = {}
    for i, one in ipairs(suspects) do ids[i] = one.job.id end
    self.store.suspect(ids, self.crash_time)
    self.store.commit()
    for _, one in ipairs(suspects) do one.job.lane:send(one.job, one.next_at) end
end

-- A new session has begun, or could not.
local function begin(self, lane)
    local ok, err = lane:begin()
    if ok == false then
        lane.broken = true
        roles.refused(self, lane.owner, err)
    end
end

-- What waits behind a job that takes long runs elsewhere, if it can.
local function cut(self, lane)
    if lane:until_cut() ~= 0 or not self.lanes:has_room_beside(lane) then return end
    for _, job in ipairs(lane:cut()) do
        self:left(job)
        self.ready:add_again(job)
    end
end

-- Takes what has ended.
function dispatch.collect(self) -- internal
    for _, lane in ipairs(self.lanes.list) do
        if lane.starting then
            begin(self, lane)
        elseif lane:is_empty() then
            if lane:is_gone() then lane.broken = true end -- somebody has ended it
        else
            lane:collect(self.collector)
            cut(self, lane)
        end
    end
end

-- Gives lanes to roles that have work for more than they have. self.again_at: when one of them is tried again whose
-- session could not be started.
local function share(self)
    local owners, wanting = self.lanes:below_limit(self.ready:owners()), {}
    for _, owner in ipairs(owners) do
        local job = self.ready:first(owner)
        if job then
            local may, again_at = roles.may_run(self, owner, job.owner_name)
            if may then wanting[#wanting + 1] = owner end
            if again_at then self.again_at = math.min(again_at, self.again_at or again_at) end
        end
    end
    self.is_short = #wanting > 0
    self.lanes:share(wanting, function(owner, err) roles.refused(self, owner, err) end)
end

local SHARE_AGAIN = 0.02 -- seconds

-- Gives every lane as much as it should have, one job to each in turn, and lanes to those who need some.
function dispatch.fill(self) -- internal
    self.again_at = nil
    self.lanes:sweep()
    if self.paused then return end
    local given, suspects = true, {}
    while given do
        given = false
        for _, lane in ipairs(self.lanes.list) do
            if feed(self, lane, suspects) then given = true end
        end
    end
    send_suspects(self, suspects)
    -- With all lanes at work there is no hurry.
    local now = core.now()
    if not self.lanes:is_full() or now >= self.share_at then
        self.share_at = now + SHARE_AGAIN
        share(self)
    end
end

-- Seconds until there is something to do here, though nothing is announced and nothing ends.
function dispatch.pause(self) -- internal
    local pause = self.is_short and 0.1 or #self.lanes.list > 0 and 1 or next(self.ready.held) and 5 or 60
    for _, lane in ipairs(self.lanes.list) do
        local left = self.lanes:has_room_beside(lane) and lane:until_cut()
        if left then pause = math.min(pause, left) end
    end
    return self.again_at and math.min(pause, math.max(0, self.again_at - core.now())) or pause
end

-- Adds what the lanes wait for to the lists of core.wait_any, which have n elements. Their number then.
function dispatch.waits(self, handles, ids, n) -- internal
    for _, lane in ipairs(self.lanes.list) do
        local id = lane:awaited()
        if id then
            n = n + 1
            handles[n], ids[n] = lane.session, id
        end
    end
    for i = n + 1, #handles do handles[i], ids[i] = nil, nil end
    return n
end

return dispatch
