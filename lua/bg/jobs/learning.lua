-- How the scheduler learns of jobs: of those that are announced, page by page of those of which it is only known that
-- there are some, and of those for which there is room again. `self` is the scheduler.

local core = require 'bg.core'
local keys = require 'bg.jobs.keys'
local names = require 'bg.jobs.names'
local outcome = require 'bg.jobs.outcome'
local most_parked = require('bg.jobs.ready').MOST_PARKED

local learning = {
    PAGE = 1000,
    MOST_OF_KEYS = 3000, -- more than a page of them that wait and as many that run
}

-- Jobs with the same key as one of the list: which of them stay. When there are very many, that is decided of the first
-- of them; the last one's number is returned, and those behind it are read again.
local function resolve_keys(self, list)
    local ids = {}
    for _, job in ipairs(list) do
        if job.key then ids[#ids + 1] = job.id end
    end
    if #ids == 0 then return math.huge end
    local groups = {}
    local rows = self.store.jobs_of_keys(ids, learning.MOST_OF_KEYS)
    for _, row in ipairs(rows) do
        local name = row.owner .. ' ' .. row.key
        local group = groups[name] or {}
        groups[name] = group
        local known = self.ready.jobs[row.id]
        row.running = known and known.state == 'running'
        group[#group + 1] = row
    end
    for _, group in pairs(groups) do
        for _, lost in ipairs(keys.resolve(group)) do
            local known = self.ready.jobs[lost.id]
            if known then self.ready:remove(known) end
            self.superseded[lost.id] = true
            self:bury{id = lost.id, state = 's', superseded_by = lost.by}
        end
    end
    if #rows < learning.MOST_OF_KEYS then return math.huge end
    learning.look_from(self, rows[#rows].id)
    return rows[#rows].id
end

-- Jobs that are older than a crash of the server may have been its cause: one that runs whenever the server crashes
-- is given up.
local function suspect(self, job)
    if not job.is_old then return false end
    job.is_suspect = job.crashes > 0
    if job.crashes < outcome.MOST_CRASHES then return false end
    self:bury{id = job.id, state = 'f', error = {sqlstate = '57P02', attempt = job.attempt + 1,
        message = string.format('the server has crashed %d times while the job ran', job.crashes)}}
    return true
end

-- Takes in rows that were read.
local function take_in(self, list)
    local last = resolve_keys(self, list)
    local now = core.server_time()
    for _, job in ipairs(list) do
        names.note(self, job.owner, job.owner_name)
        job.was_gone = self.gone[job.id]
        if self.superseded[job.id] or job.key and job.id > last or suspect(self, job) then
            job.state = nil
        elseif job.has_parents then
            self.parents:add(job)
        else
            self.ready:add(job, now)
        end
    end
    self.superseded, self.gone = {}, {}
end

learning.take_in = take_in

-- The jobs with these ids, of which those that are known already are as they were.
function learning.learn(self, ids) -- internal
    for first = 1, #ids, learning.PAGE do
        take_in(self, self.store.jobs({table.unpack(ids, first, math.min(#ids, first + learning.PAGE - 1))}))
    end
end

-- All jobs whose id is not less are to be read.
function learning.look_from(self, id) -- internal
    self.scan_from = math.min(self.scan_from or id, id)
end

-- Reads the next page of those.
function learning.scan(self) -- internal
    if not self.scan_from then return end
    local list = self.store.jobs_from(self.scan_from, learning.PAGE)
    self.scan_from = #list == learning.PAGE and list[#list].id + 1 or nil
    take_in(self, list)
end

local function add_again(self, list)
    for _, job in ipairs(list) do
        if not suspect(self, job) then self.ready:add_again(job) end
    end
end

-- Reads what there is room for again.
function learning.refill(self) -- internal
    local ready, now = self.ready, core.server_time()
    for own in pairs(ready.behind) do
        local room = ready:queue(own.queue).paused and 0 or math.min(own:room(), learning.PAGE)
        if room > 0 then
            local list = self.store.ready_jobs(own, own.bound, room)
            add_again(self, list)
            own:refilled(list[#list], #list < room)
        end
        if not own.more then ready.behind[own] = nil end
    end
    local room = math.min(ready.later:room(), learning.PAGE)
    if room > 0 then
        local list = self.store.later_jobs(ready.later.bound, room)
        ready.later:refilled(list[#list], #list < room)
        for _, job in ipairs(list) do
            if not suspect(self, job) then ready:add(job, now) end
        end
    end
    local has_room = ready:has_room_again()
    if self.parents:has_room_again() or has_room then learning.look_from(self, 0) end
    local again = ready.again
    ready.again = {}
    for _, what in ipairs(again) do
        local list = self.store.limited_jobs(what, most_parked)
        add_again(self, list)
        if #list == most_parked then ready:more_of(what) end
    end
end

return learning
