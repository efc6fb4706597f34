-- Jobs that wait until others have ended. What each waits for is in the table; here is how many of them are still to be
-- done, and whom the end of a job concerns.

local shares = require 'bg.jobs.shares'

local Parents = {}
Parents.__index = Parents

local parents = {
    -- Jobs of one owner, and what they wait for; the others are read when half of these have gone.
    MOST_KNOWN = 1000000,
}

-- left: of each child, how many are still to be done. stubborn: children that run also after failures. children: by
-- parent and child, the owner of the child. owners: of each child. shares: of them and what they wait for. touched:
-- children to look at. bad: by child, a job before it that was not done, of which there may be no trace.
-- served: children whose parent has done one of its runs.
function parents.new() -- internal
    return setmetatable({left = {}, stubborn = {}, children = {}, touched = {}, n = 0, bad = {}, served = {},
        owners = {}, shares = shares.new(parents)}, Parents)
end

local function touch(self, child)
    if not self.touched[child] then
        self.touched[child] = true
        self.n = self.n + 1
    end
end

-- A job that waits for others was read.
function Parents:add(job) -- internal
    if self.left[job.id] then return end
    local owner = job.owner
    if not self.owners[job.id] then
        if not self.shares:has_room(owner) then return end
        self.owners[job.id] = owner
        self.shares:add(owner, 1)
    end
    touch(self, job.id)
end

-- True when there is room for what was not kept of some owner: all is to be read again.
function Parents:has_room_again() -- internal
    return self.shares:has_room_again()
end

-- A job has ended, or one run of a job that recurs: who waits for it, and may run now, or never?
function Parents:ended(parent, state, recurs) -- internal
    local children = self.children[parent]
    if not children then return end
    self.children[parent] = nil
    for child, owner in pairs(children) do
        self.shares:add(owner, -1)
        local left = self.left[child]
        if left then
            if state ~= 'd' and state ~= 's' then self.bad[child] = parent end
            if recurs then self.served[#self.served + 1] = {child = child, parent = parent} end
            self.left[child] = left - 1
            if left == 1 or state ~= 'd' and not self.stubborn[child] then touch(self, child) end
        end
    end
end

-- The job is no more.
function Parents:forget(child) -- internal
    if self.owners[child] then self.shares:add(self.owners[child], -1) end
    self.left[child], self.stubborn[child], self.bad[child], self.owners[child] = nil, nil, nil, nil
end

function Parents:has_news() -- internal
    return self.n > 0
end

local function take_touched(self, most)
    local list = {}
    for child in pairs(self.touched) do
        list[#list + 1] = child
        if #list == most then break end
    end
    for _, child in ipairs(list) do self.touched[child] = nil end
    self.n = self.n - #list
    return list
end

-- Sums up what the table says of each child: how many are left, and one that was not done.
local function sum_up(self, list, links)
    local sums = {}
    for _, child in ipairs(list) do sums[child] = {left = 0, bad = self.bad[child]} end
    for _, link in ipairs(links) do
        local sum = sums[link.child]
        if link.state then
            if link.state ~= 'd' then sum.bad = link.parent end
        else
            sum.left = sum.left + 1
            local children = self.children[link.parent] or {}
            self.children[link.parent] = children
            if not children[link.child] and self.owners[link.child] then
                children[link.child] = self.owners[link.child]
                self.shares:add(self.owners[link.child], 1)
            end
        end
    end
    return sums
end

-- Looks at those whose parents have changed. `scheduler` is told of those that may run (read_again), or never do.
function Parents:look(scheduler) -- internal
    if self.n == 0 then return end
    if #self.served > 0 then
        scheduler.store.unlink(self.served)
        self.served = {}
    end
    local list, free, bad = take_touched(self, 1000), {}, {}
    local sums = sum_up(self, list, scheduler.store.links(list))
    for child, sum in pairs(sums) do
        if sum.bad then
            bad[#bad + 1] = child
            self.stubborn[child] = true -- unless it is said otherwise
        end
    end
    if #bad > 0 then
        for _, child in ipairs(scheduler.store.careful_children(bad)) do
            scheduler:bury{id = child, state = 'c',
                note = string.format('job %d, after which it was to run, was not done', sums[child].bad)}
            self:forget(child)
            sums[child] = nil
        end
    end
    for child, sum in pairs(sums) do
        if sum.left == 0 then
            free[#free + 1] = child
            self:forget(child)
        else
            self.left[child] = sum.left
        end
    end
    if #free == 0 then return end
    scheduler.store.release(free)
    for _, child in ipairs(free) do table.insert(scheduler.read_again, child) end
end

return parents
