-- What is known of the jobs that wait and run: which one runs next in a session of an owner. A job is
--     id, priority, queue, owner, key, limit_key, limit_n, run_at (nil: at once), attempt, ...
-- and has a state: 'ready', 'later' (run_at is to come), 'parked' (until another one of its key or limit has ended),
-- 'running', or nil when it is not known here any more. Nothing here is kept elsewhere: all comes from the table.

local heap = require 'bg.jobs.heap'
local shares = require 'bg.jobs.shares'
local window = require 'bg.jobs.window'

local Ready = {}
Ready.__index = Ready

local ready = {
    MOST_PARKED = 1000, -- of one limit; the others are read again
    MOST_KNOWN = 300000, -- of one owner, in whatever queues; the others are read again when half of these have gone
}

-- What a window weighs, in jobs.
local WINDOW_WEIGHT = 4

-- Smaller priorities first, then smaller ids, as one number: ids have 47 bits, priorities 16.
local function by_priority(job)
    return job.priority * (1 << 47) + job.id
end

local function by_time(job)
    return job.run_at
end

local function forget(self, job)
    if not job.state then return end
    job.state = nil
    self.jobs[job.id] = nil
    self.n = self.n - 1
    self.shares:add(job.owner, -1)
end

-- `jobs` are those known, by id, `n` their number. `due`: ids of jobs whose time has come and for which there is no
-- room: their rows are to say that they are due. `behind`: windows of which some jobs are in the table only.
-- `again`: limits whose jobs are to be read from the table again. `shares`: how much is kept of each owner.
function ready.new() -- internal
    local self = setmetatable({jobs = {}, n = 0, queues = {}, heads = {}, gates = {}, held = {}, due = {}, behind = {},
        again = {}, shares = shares.new(ready)}, Ready)
    self.later = window.new(by_time, function(job) forget(self, job) end)
    -- Leaves a job to the table, where jobs that are ready are found again.
    function self.leave(job)
        forget(self, job)
        if job.run_at then self.due[#self.due + 1] = job.id end
    end
    return self
end

-- What is known of a queue by its name.
function Ready:queue(name) -- internal
    local queue = self.queues[name]
    if not queue then
        queue = {name = name, windows = {}, lanes = 0, ranks = {}}
        self.queues[name] = queue
    end
    return queue
end

-- The jobs of a queue that are one owner's: each has a window of his own, so that nobody's many jobs keep those of
-- others out of memory.
function Ready:window(name, owner) -- internal
    local windows = self:queue(name).windows
    local own = windows[owner]
    if not own then
        own = window.new(by_priority, function(job)
            self.leave(job)
            self.behind[own] = true
        end)
        own.queue, own.owner = name, owner
        windows[owner] = own
        self.shares:add(owner, WINDOW_WEIGHT)
    end
    return own
end

-- Of each owner, heads has the queues in the order of their first jobs. An entry counts while its rank is that in
-- queue.ranks; the others are left where they are until they come first.
local function add_head(self, queue, owner, rank)
    if not self.heads[owner] then self.heads[owner] = heap.new() end
    queue.ranks[owner] = rank
    self.heads[owner]:push({queue = queue, rank = rank}, rank)
end

-- Puts a job among those that are ready: wherever it stands, or, with `by_place`, where there is room for it.
local function make_ready(self, job, by_place)
    local queue, own = self:queue(job.queue), self:window(job.queue, job.owner)
    job.state = 'ready'
    if by_place then own:offer(job) else own:put(job) end
    local rank, first = by_priority(job), queue.ranks[job.owner]
    if job.window and (not first or rank < first) then add_head(self, queue, job.owner, rank) end
end

local function limit_id(owner, limit_key) return 'limit ' .. owner .. ' ' .. limit_key end

-- Gates that let only so many jobs run at a time: of a key of the owner one, of his limits what they say; of jobs that
-- may have brought the server down, one. A list of {id, most, parked: how many may wait there}, or nil.
local function gates_of(job)
    if not (job.key or job.limit_key or job.is_suspect) then return nil end
    local list = {}
    if job.key then list[1] = {id = 'key ' .. job.owner .. ' ' .. job.key, most = 1, parked = math.huge} end
    if job.limit_key then
        list[#list + 1] = {id = limit_id(job.owner, job.limit_key), most = job.limit_n, parked = ready.MOST_PARKED}
    end
    if job.is_suspect then list[#list + 1] = {id = 'suspect', most = 1, parked = math.huge} end
    return list
end

-- True when the job is new here.
local function enter(self, job)
    if self.jobs[job.id] or self.held[job.owner] then return false end
    if not self.shares:has_room(job.owner) then return false end
    self.jobs[job.id], self.n = job, self.n + 1
    self.shares:add(job.owner, 1)
    job.state, job.gates = 'ready', gates_of(job)
    return true
end

-- Takes a job in that waits: now, or for its time. One that is known already, or that is held, is left alone.
function Ready:add(job, now) -- internal
    if not enter(self, job) then return end
    if job.run_at and job.run_at > now then
        job.state = 'later'
        self.later:offer(job)
    else
        make_ready(self, job, true)
    end
end

-- The same for a job that was read again for its limit, and may be from behind what is here.
function Ready:add_again(job) -- internal
    if enter(self, job) then make_ready(self, job) end
end

-- Makes those ready whose time has come. The time of the next one, or nil.
function Ready:wake(now) -- internal
    while true do
        local job = self.later:first()
        if not job then return nil end
        if job.run_at > now then return job.run_at end
        self.later:remove(job)
        make_ready(self, job, true)
    end
end

-- Jobs of the gate are in the table only: of a queue and a limit, as the list `again` has them.
local function leave_some(gate, what)
    gate.left = gate.left or {}
    gate.left[what.queue] = what
end

-- Of the jobs that wait for a limit, only some are kept here.
local function park(self, job, gate, most)
    job.window:remove(job)
    if gate.parked:size() < most then
        job.state = 'parked'
        gate.parked:push(job, by_priority(job))
        return
    end
    leave_some(gate, {queue = job.queue, owner = job.owner, limit_key = job.limit_key})
    self.leave(job)
end

-- True when the gates let the job start; else it is parked.
local function may_start(self, job)
    for _, own in ipairs(job.gates) do
        local gate = self.gates[own.id]
        if gate and gate.running >= own.most then
            park(self, job, gate, own.parked)
            return false
        end
    end
    return true
end

-- True when a job of the queue may run in the lane, or in any one.
local function is_open(queue, lane)
    if queue.paused then return false end
    return not queue.workers or queue.lanes < queue.workers or lane ~= nil and lane.counts[queue.name] ~= nil
end

-- A queue without jobs and settings is made again when it is needed, and so is a window.
local function drop_unused(self, queue, owner)
    local own = queue.windows[owner]
    if own and own.n == 0 and not own.more then
        queue.windows[owner] = nil
        self.shares:add(owner, -WINDOW_WEIGHT)
    end
    if not next(queue.windows) and queue.lanes == 0 and not queue.is_set then self.queues[queue.name] = nil end
end

-- The first job of an owner in a queue.
local function first_of(queue, owner)
    local own = queue.windows[owner]
    return own and own:first()
end

-- The entry of the queue that is first for an owner, brought up to date; nil when there is none.
local function first_head(self, owner)
    local heads = self.heads[owner]
    while heads do
        local head = heads:peek()
        if not head then
            self.heads[owner] = nil
            return nil
        end
        local queue = head.queue
        local job = queue.ranks[owner] == head.rank and not queue.paused and first_of(queue, owner)
        if job and by_priority(job) == head.rank then return head, job end
        heads:pop()
        if queue.ranks[owner] == head.rank then
            queue.ranks[owner] = nil
            if job then add_head(self, queue, owner, by_priority(job)) end
        end
    end
end

-- The first job of an owner in a queue that is open.
local function first_open(self, owner, lane)
    local closed, head, job
    repeat
        head, job = first_head(self, owner)
        if head and not is_open(head.queue, lane) then
            closed = closed or {}
            closed[#closed + 1] = self.heads[owner]:pop()
            job = nil
        end
    until job or not head
    for _, other in ipairs(closed or {}) do add_head(self, other.queue, owner, other.rank) end
    return job
end

-- The job that runs next in a session of the owner; nil when there is none. `lane` is that session, of which
-- lane.counts says how many jobs of each queue it has; nil: a new one.
function Ready:first(owner, lane) -- internal
    while true do
        local first = first_open(self, owner, lane)
        if not first or not first.gates or may_start(self, first) then return first end
    end
end

-- Sets what is said of queues: rows {name, workers, paused}. One of which nothing is said is as it is by default.
function Ready:set_queues(rows) -- internal
    local paused = {}
    for _, queue in pairs(self.queues) do
        paused[queue] = queue.paused
        queue.is_set, queue.workers, queue.paused = nil, nil, nil
    end
    for _, row in ipairs(rows) do
        local queue = self:queue(row.name)
        queue.is_set, queue.workers, queue.paused = true, row.workers, row.paused
    end
    for queue, was_paused in pairs(paused) do
        for owner, own in pairs(was_paused and not queue.paused and queue.windows or {}) do
            local job = own:first()
            if job then add_head(self, queue, owner, by_priority(job)) end
        end
    end
end

local function gate_of(self, id)
    self.gates[id] = self.gates[id] or {id = id, running = 0, parked = heap.new()}
    return self.gates[id]
end

-- The job is in its gates, or has left them.
local function count(self, job, change)
    for _, own in ipairs(job.gates or {}) do
        local gate = gate_of(self, own.id)
        gate.running = gate.running + change
    end
end

-- Of what was read again there is more in the table.
function Ready:more_of(what) -- internal
    leave_some(gate_of(self, limit_id(what.owner, what.limit_key)), what)
end

-- The job is given to a lane.
function Ready:start(job, lane) -- internal
    local queue = self:queue(job.queue)
    job.window:remove(job)
    job.state, job.lane = 'running', lane
    local own = lane.counts[job.queue] or 0
    if own == 0 then queue.lanes = queue.lanes + 1 end
    lane.counts[job.queue] = own + 1
    if job.gates then count(self, job, 1) end
end

-- Makes a parked job ready, for which there may be room now.
local function unpark(self, gate)
    local parked = gate.parked:pop()
    while parked and parked.state ~= 'parked' do parked = gate.parked:pop() end
    if parked then
        make_ready(self, parked)
    elseif gate.left then
        for _, what in pairs(gate.left) do self.again[#self.again + 1] = what end
        gate.left = nil
    end
    if gate.running == 0 and gate.parked:size() == 0 and not gate.left then self.gates[gate.id] = nil end
end

-- The job has made room for another one.
local function unpark_behind(self, job)
    for _, own in ipairs(job.gates or {}) do
        local gate = self.gates[own.id]
        if gate then unpark(self, gate) end
    end
end

-- The job has left its lane. It is forgotten; who knows that it waits adds it again.
function Ready:stop(job) -- internal
    local lane, queue = job.lane, self:queue(job.queue)
    local own = lane.counts[job.queue] - 1
    lane.counts[job.queue] = own > 0 and own or nil
    if own == 0 then queue.lanes = queue.lanes - 1 end
    job.lane = nil
    forget(self, job)
    if job.gates then
        count(self, job, -1)
        unpark_behind(self, job)
    end
    drop_unused(self, queue, job.owner)
end

-- Forgets a job that does not run.
function Ready:remove(job) -- internal
    if job.window then job.window:remove(job) end
    forget(self, job)
    unpark_behind(self, job)
    drop_unused(self, self:queue(job.queue), job.owner)
end

-- Where a gate lets one more through and none is in it, one that is parked gets a chance: the one that had it may have
-- been left to the table, or its queue is paused. To be called now and then.
function Ready:unpark() -- internal
    local idle = {}
    for _, gate in pairs(self.gates) do
        if gate.running == 0 then idle[#idle + 1] = gate end
    end
    for _, gate in ipairs(idle) do unpark(self, gate) end
end

-- True when there is room for what was not kept of some owner: all is to be read again.
function Ready:has_room_again() -- internal
    return self.shares:has_room_again()
end

-- No job of the owner starts: those that wait are left to the table, as they are.
function Ready:hold(owner, reason) -- internal
    self.held[owner] = reason
    for _, job in ipairs(self.later:remove_owner(owner)) do forget(self, job) end
    for _, queue in pairs(self.queues) do
        local own = queue.windows[owner]
        if own then
            for _, job in ipairs(own:remove_owner(owner)) do forget(self, job) end
            own.more = false
            drop_unused(self, queue, owner)
        end
    end
    for _, job in pairs(self.jobs) do
        if job.owner == owner and job.state == 'parked' then forget(self, job) end
    end
end

-- Jobs of the owner start again, once they were read again.
function Ready:let_go(owner) -- internal
    self.held[owner] = nil
end

-- Owners that have something to run in a new session, a sorted list.
function Ready:owners() -- internal
    local all, list = {}, {}
    for owner in pairs(self.heads) do all[#all + 1] = owner end
    for _, owner in ipairs(all) do
        if first_open(self, owner) then list[#list + 1] = owner end
    end
    table.sort(list)
    return list
end

return ready
