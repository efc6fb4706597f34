-- What becomes of jobs that have run: what their sessions say, and what is written of those that have not ended by
-- their own transaction. `self` is the scheduler; self.records has what is to be written.

local core = require 'bg.core'
local cron = require 'bg.jobs.cron'
local orders = require 'bg.jobs.orders'
local outcome = require 'bg.jobs.outcome'
local roles = require 'bg.jobs.roles'

local results = {}

-- When a job comes again; nil for one that does not. Of one that cannot, as its time zone is no more, nil and the
-- error.
function results.next_time(job) -- internal
    if not job.every then return nil end
    local ok, value = pcall(cron.next, job.every, core.server_time(), job.timezone, job.run_at)
    if ok then return value end
    return nil, value
end

-- The job is to be read again: it waits, or is no more.
local function read_again(self, job)
    self.read_again[#self.read_again + 1] = job.id
end

local function fail(self, job, err)
    self.failed[#self.failed + 1] = {job = job, error = err}
end

local SETTLED = {done = 'd', discarded = 'x'}

-- A job that has ended its run, with what its session said.
local function take_success(self, job, entry, value)
    if entry.step == 'statement' then
        local next_at = results.next_time(job)
        if next_at then
            self:go_on{id = job.id, attempt = job.attempt, state = 'd', run_at = next_at,
                started_at = job.started_at, pid = job.pid}
            read_again(self, job)
        else
            self:bury{id = job.id, attempt = job.attempt, state = 'd', started_at = job.started_at, pid = job.pid}
        end
        return
    end
    local state = SETTLED[value]
    if not state and value ~= 'gone' and not tostring(value):match('^snoozed') then
        return fail(self, job, {sqlstate = 'XX000', message = 'unexpected outcome of the job: ' .. tostring(value)})
    end
    if state then core.settle_waiters(job.id, state) end
    if state then self.parents:ended(job.id, state, job.every ~= nil) end
    if state and not job.every then return end
    if value == 'gone' and job.was_gone then
        -- It is in the table and due, and does not run: no reason to try it at once for ever.
        return fail(self, job, {sqlstate = 'XX000', message = 'the run of the job has not found it'})
    end
    if value == 'gone' then self.gone[job.id] = true end
    read_again(self, job)
end

-- What is said of a job that was sent twice by its first run: nothing, unless it was done there.
local function take_cut(self, job, ok, value)
    if not ok or not SETTLED[value] then return end
    core.settle_waiters(job.id, SETTLED[value])
    self.parents:ended(job.id, SETTLED[value], job.every ~= nil)
    local known = self.ready.jobs[job.id]
    if known and known.state ~= 'running' then self.ready:remove(known) end
    if job.every then read_again(self, job) end
end

-- An error of a job. The session may be lost: then what waited behind the job that ran has done nothing.
local function take_error(self, lane, job, err)
    if job.cancelled then
        self:bury{id = job.id, attempt = job.attempt, state = 'c', started_at = job.started_at, pid = job.pid}
        return
    end
    if lane.broken then return read_again(self, job) end
    if lane:is_gone() then lane.broken = true end
    fail(self, job, err)
end

-- What a lane calls when an entry of it has ended; true when the entry goes on.
function results.collector(self) -- internal
    return function(lane, entry, ok, value)
        local job = entry.job
        if entry.cut then
            take_cut(self, job, ok, value)
            return false
        end
        if entry.step == 'begin' and ok and value ~= 'gone' and not job.cancelled then
            local text, args = self.store.statement(job.id)
            if text then
                lane:send_statement(entry, text, args)
                return true
            end
        end
        self:left(job)
        if not ok or entry.step then job.started_at, job.pid = lane:run_of(entry) end
        if job.order then orders.ended(self, job) end
        if ok then take_success(self, job, entry, value) else take_error(self, lane, job, value) end
        return false
    end
end

-- A job that has failed for the last time, or, of one that recurs, this run.
local function give_up(self, job, policy, entry)
    local next_at = policy.every and results.next_time(job)
    if next_at then
        self:go_on{id = job.id, attempt = job.attempt, state = 'f', error = entry, run_at = next_at,
            started_at = job.started_at, pid = job.pid}
        read_again(self, job)
    else
        self:bury{id = job.id, attempt = job.attempt, state = 'f', error = entry, started_at = job.started_at,
            pid = job.pid}
    end
end

-- Errors that a role meets that may not run jobs any more.
local OF_RIGHTS = {['42501'] = true, ['42704'] = true, ['28000'] = true}

-- Those that have failed, but for what the role may not do any more: that waits.
local function failures(self)
    local list = {}
    for _, failure in ipairs(self.failed) do
        local job = failure.job
        if not OF_RIGHTS[failure.error.sqlstate] or roles.check(self, job.owner, job.owner_name) then
            list[#list + 1] = failure
        end
    end
    self.failed = {}
    return list
end

-- A job that recurs and cannot be told when ends before it runs.
function results.refuse(self, job, err) -- internal
    self.ready:remove(job)
    self:bury{id = job.id, attempt = job.attempt, state = 'f', error = outcome.entry(job, err)}
end

-- Decides about those that have failed.
function results.decide(self) -- internal
    if #self.failed == 0 then return end
    local failed = failures(self)
    local ids, now = {}, core.server_time()
    for i, failure in ipairs(failed) do ids[i] = failure.job.id end
    local policies = self.store.policies(ids)
    for _, failure in ipairs(failed) do
        local job, policy = failure.job, policies[failure.job.id]
        local action, delay
        if policy then action, delay = outcome.decide(job, failure.error, policy, math.random()) end
        if action == 'again' then
            job.conflicts = (job.conflicts or 0) + 1
            self.ready:add(job, now)
        elseif action == 'fail' then
            give_up(self, job, policy, outcome.entry(job, failure.error))
        elseif action == 'retry' then
            local run_at = now + delay
            if policy.every then run_at = math.min(run_at, results.next_time(job) or run_at) end
            self.records.retry[#self.records.retry + 1] =
                {id = job.id, attempt = job.attempt, run_at = run_at, error = outcome.entry(job, failure.error)}
            read_again(self, job)
        end
    end
end

-- Writes what was decided. Who waits for a job learns of it when it is written.
function results.write(self) -- internal
    local records, store = self.records, self.store
    if #records.retry > 0 then store.retry(records.retry) end
    if #records.go_on > 0 then store.go_on(records.go_on) end
    if #records.bury > 0 then store.bury(records.bury) end
    if #self.ready.due > 0 then store.mark_due(self.ready.due) end
    if #self.acquitted > 0 then store.acquit(self.acquitted) end
    self.acquitted = {}
    self.records, self.ready.due = {retry = {}, go_on = {}, bury = {}}, {}
    if #records.bury == 0 and #records.go_on == 0 then return end
    store.commit()
    for _, record in ipairs(records.bury) do core.settle_waiters(record.id, record.state) end
    for _, record in ipairs(records.go_on) do core.settle_waiters(record.id, record.state) end
    for _, record in ipairs(records.bury) do self.parents:ended(record.id, record.state) end
    for _, record in ipairs(records.go_on) do self.parents:ended(record.id, record.state, true) end
end

return results
