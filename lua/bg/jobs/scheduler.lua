-- The scheduler of a database: one procedure, in a process of its own, that knows which jobs wait and which run. It
-- looks at what has been announced and at what has ended, writes what follows, gives jobs to sessions, and sleeps.
--
-- An error of its own ends it, and another one begins, from the tables: they are always as they should be, for a job
-- that runs leaves its row in the transaction in which it does its work.

local core = require 'bg.core'
local dispatch = require 'bg.jobs.dispatch'
local lanes = require 'bg.jobs.lanes'
local learning = require 'bg.jobs.learning'
local names = require 'bg.jobs.names'
local orders = require 'bg.jobs.orders'
local outcome = require 'bg.jobs.outcome'
local parents = require 'bg.jobs.parents'
local ready = require 'bg.jobs.ready'
local results = require 'bg.jobs.results'
local roles = require 'bg.jobs.roles'

local Scheduler = {}
Scheduler.__index = Scheduler

local scheduler = {}

local HOUSEKEEPING = 5 -- seconds between looks at settings and roles
local ROTATE_AGAIN = 30
local LOOK_AGAIN = 60

-- `store`: the tables; `warn(message, hint)`: into the log.
function scheduler.new(store, warn) -- internal
    local self = setmetatable({
        store = store, warn = warn, ready = ready.new(), lanes = lanes.new(warn), parents = parents.new(),
        roles = {}, names = {}, renamed = {}, superseded = {}, failed = {}, read_again = {}, acquitted = {},
        gone = {},
        records = {retry = {}, go_on = {}, bury = {}}, house_at = 0, rotate_at = 0, busy_at = core.now(), linger = 60,
        crash_time = core.crash_time(), share_at = 0, handles = {core.announcement}, ids = {0},
    }, Scheduler)
    self.collector = results.collector(self)
    store.note_crash(self.crash_time)
    store.count_crashes(self.crash_time, outcome.AFTER_CRASH)
    learning.look_from(self, 0)
    orders.look(self)
    return self
end

-- What is to be written of jobs, at the end of the step.
function Scheduler:bury(record) -- internal
    table.insert(self.records.bury, record)
end

function Scheduler:go_on(record) -- internal
    table.insert(self.records.go_on, record)
end

function Scheduler:write() -- internal
    results.write(self)
end

-- The job is in no lane any more, and has not brought the server down.
function Scheduler:left(job) -- internal
    self.ready:stop(job)
    if job.is_old then table.insert(self.acquitted, job.id) end
end

-- Settings, and what the administrator says of the queues.
function Scheduler:reload() -- internal
    local settings = self.store.settings()
    self.lanes.idle = settings.idle
    self.lanes:limit(settings.workers, settings.workers_per_role)
    self.linger, self.keep, self.paused = settings.linger, settings.keep, settings.paused
    self.ready:set_queues(self.store.queues())
end

local function keep_house(self)
    local now = core.now()
    if now < self.house_at then return end
    self.house_at = now + HOUSEKEEPING
    self:reload()
    roles.review(self)
    names.review(self)
    self.ready:unpark()
    if now < self.rotate_at then return end
    local again, err = self.store.rotate(self.keep)
    if again then self.rotate_at = now + ROTATE_AGAIN end
    if err and self.rotate_error ~= err.message then
        self.warn('the history of jobs cannot be emptied: ' .. err.message, err.detail or err.hint)
    end
    self.rotate_error = err and err.message
end

-- Takes what was announced: jobs, orders (negative), or that there is more.
local function listen(self)
    local ids, rescan, lowest, reloaded = core.announced()
    if reloaded then self.house_at, self.rotate_at = 0, 0 end
    local jobs = {}
    for _, id in ipairs(ids) do
        if id > 0 then jobs[#jobs + 1] = id else orders.look(self) end
    end
    if rescan then
        learning.look_from(self, lowest or 0)
        orders.look(self)
        if not lowest then self.house_at = 0 end
    end
    if #ids > 0 or rescan then self.busy_at = core.now() end
    return jobs
end

-- One round; the time (of the server) at which the next job is due, or nil.
function Scheduler:step() -- internal
    local jobs = listen(self)
    keep_house(self)
    dispatch.collect(self)
    results.decide(self)
    results.write(self)
    orders.carry_out(self)
    local again = self.read_again
    self.read_again = {}
    learning.learn(self, again)
    learning.learn(self, jobs)
    learning.scan(self)
    self.parents:look(self)
    local due = self.ready:wake(core.server_time())
    learning.refill(self)
    results.write(self)
    dispatch.fill(self)
    self.store.commit()
    return due
end

local function has_more_to_do(self)
    return self.scan_from or #self.read_again > 0 or #self.records.bury > 0 or #self.failed > 0 or #self.ready.again > 0
        or orders.is_waiting(self) or self.parents:has_news()
end

-- Waits until something has ended, is announced or due.
function Scheduler:sleep(due) -- internal
    local pause = has_more_to_do(self) and 0 or dispatch.pause(self)
    if due then pause = math.min(pause, math.max(0, due - core.server_time())) end
    if self.ready.n == 0 then pause = math.min(pause, math.max(0, self.busy_at + self.linger - core.now())) end
    local n = dispatch.waits(self, self.handles, self.ids, 1)
    if n > 1 then self.busy_at = core.now() end
    core.wait_any(self.handles, self.ids, n, math.min(pause, LOOK_AGAIN))
end

-- True when there was nothing to do for so long that the process may end, and it is marked as ended.
function Scheduler:may_retire() -- internal
    if self.ready.n > 0 or core.now() - self.busy_at < self.linger or has_more_to_do(self) then return false end
    self.busy_at = core.now() + 1 -- when it is asked again
    local is_empty = self.store.is_empty()
    self.store.commit()
    return is_empty and core.retire_scheduler()
end

-- Runs until there is nothing to do any more.
function scheduler.run() -- internal
    local spi = require 'pllua.spi'
    local self = scheduler.new(require 'bg.jobs.tables', function(message, hint)
        spi.warning('01000', message, nil, hint)
    end)
    repeat self:sleep(self:step()) until self:may_retire()
end

return scheduler
