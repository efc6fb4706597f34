-- Launch, wait and take in one call; and the same for many.

local core = require 'bg.core'
local control = require 'pg_background.control'
local launch = require 'pg_background.launch'
local report = require 'pg_background.report'
local workers = require 'pg_background.worker'

-- What a command that has run out of time gets to end itself, and what its process gets, in ms and
-- in seconds.
local grace, patience = 5000, 10

-- Waits for a worker; cancels it after the timeout. True when it was in time.
local function finish(worker, timeout)
    if control.wait(worker, timeout) then return true end
    worker.note.timed_out = true
    control.cancel(worker, grace)
    workers.wait(worker, patience)
    return false
end

-- The outcome of sql in a worker of its own, with timed_out and elapsed_ms.
local function run(sql, size, timeout, label)
    local begun = core.now()
    local worker = launch.start('submit', sql, size, label)
    local own <close> = worker.session
    local in_time = finish(worker, timeout)
    local outcome = report.outcome(worker)
    outcome.timed_out = not in_time
    outcome.elapsed_ms = math.floor((core.now() - begun) * 1000)
    core.close(own)
    return outcome
end

-- The rows of sql, for a function that returns a set of records.
local function run_query(sql, size, timeout, label)
    launch.check_caller()
    local worker = launch.start('once', sql, size, label)
    local own <close> = worker.session
    if not finish(worker, timeout) then
        workers.count(worker)
        core.close(own)
        core.raise('57014', ('canceling background worker due to timeout of %d ms'):format(timeout))
    end
    launch.give(worker)
end

-- Yields the outcome of each handle that is not NULL, in order, and detaches it. All of them have
-- the timeout.
local function drain(handles, timeout)
    local limit = control.limit(timeout)
    local stop = limit and core.now() + limit
    for _, handle in ipairs(control.list_of(handles)) do
        local pid, cookie = handle.pid, handle.cookie
        local ok, worker = pcall(workers.by_handle, pid, cookie)
        if ok then workers.wait(worker, stop and math.max(stop - core.now(), 0)) end
        coroutine.yield(report.outcome_of(pid, cookie))
        if ok then workers.forget(worker) end
    end
end

return {run = run, run_query = run_query, drain = drain}
