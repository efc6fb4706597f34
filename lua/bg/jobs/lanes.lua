-- The lanes of a database: which roles have one, and how they change hands. There are no more than `most`, and of one
-- role no more than `most_of_role`; a role that has work and no lane gets one from those that have several, or had
-- theirs for a while.

local core = require 'bg.core'
local lane = require 'bg.jobs.lane'

local Lanes = {}
Lanes.__index = Lanes

local lanes = {}

local TENURE = 0.25 -- seconds that a lane stays with its role while others wait
local FIRST_RETRY, LAST_RETRY = 0.1, 1 -- seconds until a slot is asked for again
local WARN_AGAIN = 60

-- `warn(message, hint)` is called when there is no room for a session, once a minute.
function lanes.new(warn) -- internal
    return setmetatable({list = {}, most = 4, most_of_role = 4, idle = 10, warn = warn, turn = 0, retry_at = 0,
        delay = FIRST_RETRY, warn_at = 0}, Lanes)
end

local function remove(self, index)
    local one = table.remove(self.list, index)
    one:close()
end

local function counts_of(self)
    local counts = {}
    for _, one in ipairs(self.list) do counts[one.owner] = (counts[one.owner] or 0) + 1 end
    return counts
end

-- How many there may be from now on; those that are too many take no more jobs. most_of_role: 0 is no limit of its own.
function Lanes:limit(most, most_of_role) -- internal
    self.most, self.most_of_role = most, most_of_role > 0 and most_of_role or most
    local counts = {}
    for i, one in ipairs(self.list) do
        counts[one.owner] = (counts[one.owner] or 0) + 1
        if i > most or counts[one.owner] > self.most_of_role then one.leaving = one.leaving or true end
    end
end

-- Ends lanes that have nothing to do any more: those that are worn, lost, to be left to others, or long idle.
function Lanes:sweep() -- internal
    local now = core.now()
    for i = #self.list, 1, -1 do
        local one = self.list[i]
        local may_end = one.worn or one.broken or one.leaving or now - one.since >= self.idle
        if one:is_empty() and not one.starting and may_end then remove(self, i) end
    end
end

function Lanes:is_full() -- internal
    return #self.list >= self.most
end

-- The roles of the list that may have one more.
function Lanes:below_limit(owners) -- internal
    local counts, below = counts_of(self), {}
    for _, owner in ipairs(owners) do
        if (counts[owner] or 0) < self.most_of_role then below[#below + 1] = owner end
    end
    return below
end

-- True when what waits in a lane could run in another one.
function Lanes:has_room_beside(own) -- internal
    if not self:is_full() and core.now() >= self.retry_at and self:below_limit{own.owner}[1] then return true end
    for _, other in ipairs(self.list) do
        if other ~= own and other.owner == own.owner and other:has_room() then return true end
    end
    return false
end

local NO_ROOM = '53000'

-- Launches a session; true, or false and an error, or nil when there is no room for one.
function Lanes:launch(owner) -- internal
    local ok, result = pcall(lane.launch, owner)
    if ok then
        self.list[#self.list + 1], self.delay = result, FIRST_RETRY
        result.given_at = core.now()
        return true
    end
    if result.sqlstate ~= NO_ROOM then return false, result end
    local now = core.now()
    self.retry_at, self.delay = now + self.delay, math.min(LAST_RETRY, self.delay * 2)
    if now >= self.warn_at then
        self.warn_at = now + WARN_AGAIN
        self.warn('jobs wait because no session can be started: ' .. result.message, result.hint)
    end
    return nil
end

-- An idle lane of another role, or else one that is to be drained: of the role that has most of them. `wanting`:
-- roles that have work, too.
local function choose_to_leave(self, owner, wanting)
    local counts, now = counts_of(self), core.now()
    local best, best_count
    for _, one in ipairs(self.list) do
        local other = one.owner
        if one.leaving and one.leaving == owner then return nil end
        if other ~= owner and not one.starting and not one.leaving then
            if one:is_empty() and not wanting[other] then return one end
            local held = not wanting[other] or counts[other] > 1 or now - one.given_at >= TENURE
            if held and (not best or counts[other] > best_count) then best, best_count = one, counts[other] end
        end
    end
    return best
end

-- Gives lanes to roles that have work for more than they have: a list in the order of the turn.
function Lanes:share(owners, fail) -- internal
    local now, counts, wanting = core.now(), counts_of(self), {}
    for _, owner in ipairs(owners) do wanting[owner] = true end
    table.sort(owners, function(a, b)
        local count_a, count_b = counts[a] or 0, counts[b] or 0
        if count_a ~= count_b then return count_a < count_b end
        local after_a, after_b = a > self.turn, b > self.turn
        if after_a ~= after_b then return after_a end
        return a < b
    end)
    for _, owner in ipairs(owners) do
        local ok, err
        if #self.list < self.most then
            if now < self.retry_at then return end
            self.turn = owner
            ok, err = self:launch(owner)
            if ok == false then fail(owner, err) end
        end
        if ok == nil and not counts[owner] then
            local one = choose_to_leave(self, owner, wanting)
            if one then one.leaving = owner end
        end
    end
end

return lanes
