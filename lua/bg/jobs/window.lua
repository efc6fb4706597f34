-- The jobs of a queue and an owner, or those of later, that are in memory: the first of them, in their order. The
-- others stay in the table, behind the last one here (the bound), and come when there is room (a refill). So memory is
-- bounded.
--
-- A job has left when `job.window` is no longer this window; the heap finds that out when it comes first.

local heap = require 'bg.jobs.heap'

local Window = {}
Window.__index = Window

local window = {
    SIZE = 10000,
}

-- In the order of rank_of(job), a number. leave(job) is told of a job that was in and for which there is no room any
-- more.
function window.new(rank_of, leave) -- internal
    return setmetatable({rank_of = rank_of, leave = leave, heap = heap.new(), n = 0, dead = 0, more = false}, Window)
end

-- True when a stands before b.
local function is_before(a, rank_a, b, rank_b)
    return rank_a < rank_b or rank_a == rank_b and a.id < b.id
end

-- All jobs, in their order.
local function items_of(self)
    local items = {}
    for _, job in ipairs(self.heap:add_to({})) do
        if job.window == self then items[#items + 1] = job end
    end
    local ranks = {}
    for _, job in ipairs(items) do ranks[job] = self.rank_of(job) end
    table.sort(items, function(a, b) return is_before(a, ranks[a], b, ranks[b]) end)
    return items
end

-- Makes the heap anew of a sorted list.
local function rebuild(self, items)
    self.heap, self.n, self.dead = heap.new(), #items, 0
    for _, job in ipairs(items) do self.heap:push(job, self.rank_of(job)) end
end

-- Leaves those behind the first SIZE to the table.
local function shrink(self)
    local items = items_of(self)
    for i = #items, window.SIZE + 1, -1 do
        local job = items[i]
        items[i], job.window = nil, nil
        self.leave(job)
    end
    self.bound, self.more = items[#items], true
    rebuild(self, items)
end

-- Puts a job in, whatever its place.
function Window:put(job) -- internal
    job.window = self
    self.heap:push(job, self.rank_of(job))
    self.n = self.n + 1
end

-- Puts a job in, or leaves it, when it stands behind the bound.
function Window:offer(job) -- internal
    local bound = self.bound
    if self.more and (not bound or is_before(bound, self.rank_of(bound), job, self.rank_of(job))) then
        self.leave(job)
        return
    end
    self:put(job)
    if self.n >= 2 * window.SIZE then shrink(self) end
end

-- The first job, or nil.
function Window:first() -- internal
    local own = self.heap
    while true do
        local job = own:peek()
        if not job or job.window == self then return job end
        own:pop()
        self.dead = self.dead - 1
    end
end

-- Takes a job away.
function Window:remove(job) -- internal
    local own = self.heap
    job.window = nil
    self.n = self.n - 1
    if own:peek() == job then
        own:pop()
        return
    end
    self.dead = self.dead + 1
    if self.dead > self.n + 1000 then rebuild(self, items_of(self)) end
end

-- Takes all jobs of an owner away; a list.
function Window:remove_owner(owner) -- internal
    local kept, removed = {}, {}
    for _, job in ipairs(items_of(self)) do
        local list = job.owner == owner and removed or kept
        list[#list + 1] = job
    end
    for _, job in ipairs(removed) do job.window = nil end
    rebuild(self, kept)
    return removed
end

-- How many jobs to read from behind the bound now; 0: none.
function Window:room() -- internal
    if not self.more or self.n > window.SIZE // 4 then return 0 end
    return window.SIZE - self.n
end

-- A refill has come as far as `last`, one of the jobs read or nil, and was at the end or not.
function Window:refilled(last, at_end) -- internal
    self.bound, self.more = last or self.bound, not at_end
end

return window
