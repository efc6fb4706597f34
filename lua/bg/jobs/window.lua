-- The jobs of a queue, or those of later, that are in memory: the first of them, in their order. The others stay in
-- the table, behind the last one here (the bound), and come when there is room (a refill). So memory is bounded.
--
-- Each owner has a heap of his own, unless the window is one for all. A job has left when `job.window` is no longer
-- this window; heaps find that out when it comes first.

local heap = require 'bg.jobs.heap'

local Window = {}
Window.__index = Window

local window = {
    SIZE = 10000,
}

-- In the order of less(a, b). leave(job) is told of a job that was in and for which there is no room any more.
function window.new(less, leave, for_all) -- internal
    return setmetatable({less = less, leave = leave, for_all = for_all, heaps = {}, n = 0, dead = 0, more = false},
        Window)
end

local function heap_of(self, job)
    local owner = self.for_all and 0 or job.owner
    local own = self.heaps[owner]
    if not own then
        own = heap.new(self.less)
        self.heaps[owner] = own
    end
    return own
end

local function items_of(self)
    local items = {}
    for _, own in pairs(self.heaps) do
        for i = 1, own.n do
            if own[i].window == self then items[#items + 1] = own[i] end
        end
    end
    return items
end

-- Makes the heaps anew of a sorted list.
local function rebuild(self, items)
    self.heaps, self.n, self.dead = {}, #items, 0
    for _, job in ipairs(items) do heap_of(self, job):push(job) end
end

-- Leaves those behind the first SIZE to the table.
local function shrink(self)
    local items = items_of(self)
    table.sort(items, self.less)
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
    heap_of(self, job):push(job)
    self.n = self.n + 1
end

-- Puts a job in, or leaves it, when it stands behind the bound.
function Window:offer(job) -- internal
    if self.more and (not self.bound or self.less(self.bound, job)) then
        self.leave(job)
        return
    end
    self:put(job)
    if self.n >= 2 * window.SIZE then shrink(self) end
end

-- The first job of an owner (in a window for all: of all), or nil.
function Window:first(owner) -- internal
    owner = owner or 0
    local own = self.heaps[owner]
    while own do
        local job = own[1]
        if not job then
            self.heaps[owner] = nil
            return nil
        end
        if job.window == self then return job end
        own:pop()
        self.dead = self.dead - 1
    end
end

-- Takes a job away.
function Window:remove(job) -- internal
    local own = heap_of(self, job)
    job.window = nil
    self.n = self.n - 1
    if own[1] == job then
        own:pop()
        return
    end
    self.dead = self.dead + 1
    if self.dead > self.n + 1000 then
        local items = items_of(self)
        table.sort(items, self.less)
        rebuild(self, items)
    end
end

-- Takes all jobs of an owner away; a list.
function Window:remove_owner(owner) -- internal
    local kept, removed = {}, {}
    for _, job in ipairs(items_of(self)) do
        local list = job.owner == owner and removed or kept
        list[#list + 1] = job
    end
    for _, job in ipairs(removed) do job.window = nil end
    table.sort(kept, self.less)
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

-- What is in the table may stand anywhere: it is to be read from its beginning.
function Window:forget_bound() -- internal
    self.bound, self.more = nil, true
end

return window
