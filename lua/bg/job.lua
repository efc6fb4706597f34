-- Durable jobs for Lua code: submitting them, and handles that can be waited for like futures. What is
-- said here is said to the SQL functions of extension pllua_bg_jobs.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local wait = require 'bg.wait'

local job = {}

local spi -- at the first call: tests without a server have none

-- Words for what core.job_outcome returns.
local ENDED = {d = 'done', f = 'failed', c = 'cancelled', x = 'discarded', s = 'superseded'}

-- Runs one of our statements; the values of its first row.
local function ask(sql, ...)
    spi = spi or require 'pllua.spi'
    core.check_jobs()
    return spi.execute(sql, ...)[1]
end

local function value_of(json)
    if json == nil then return nil end
    return json()
end

-- Jobs in the option `after` may be handles.
local function numbers_of(options)
    if type(options) ~= 'table' or type(options.after) ~= 'table' then return options end
    local copy = {}
    for name, value in pairs(options) do copy[name] = value end
    copy.after = {}
    for i, parent in ipairs(options.after) do
        copy.after[i] = type(parent) == 'table' and rawget(parent, 'id') or parent
    end
    return copy
end

function job.submit(sql, args, options) -- internal
    argcheck.text(sql, 'the statement')
    if args ~= nil and type(args) ~= 'table' and type(args) ~= 'userdata' then
        argcheck.mismatch('the arguments of a job must be a table', args)
    end
    if options ~= nil and type(options) ~= 'table' and type(options) ~= 'userdata' then
        argcheck.mismatch('the options of a job must be a table', options)
    end
    return ask('select bg.submit($1, $2::pg_catalog.jsonb, $3::pg_catalog.jsonb)', sql, args, numbers_of(options))[1]
end

local Job = {}
Job.__index = Job
Job.__name = 'bg.job'

-- The job with this id; nothing is looked at.
function job.find(id) -- internal
    return setmetatable({id = argcheck.positive(id, 'the number of a job')}, Job)
end

-- What bg.jobs has of it.
local function look(self)
    local row = ask([[
        select id, state, reason, queue, priority, owner::pg_catalog.text as owner, key, sql, args, every,
            run_at, attempt, submitted_at, started_at, ended_at, pid, progress_done, progress_total, progress_message,
            note, error, superseded_by
        from bg.jobs where id operator(pg_catalog.=) $1]], self.id)
    if not row then
        core.raise('42704', string.format('job %d does not exist', self.id), 'It may be of another role.')
    end
    return row
end

function Job:status()
    argcheck.self(self, Job, 'status')
    return look(self)
end

local function stop_waiting(self)
    local waiter = self.waiter
    self.waiter = nil
    if waiter then core.end_job_wait(waiter) end
end

-- What a wait that has begun knows: nil: nothing yet; true: that it has to be begun again.
local function outcome_of(self)
    local outcome = core.job_outcome(self.waiter)
    if outcome == nil then return nil end
    stop_waiting(self)
    self.state = ENDED[outcome]
    return true
end

-- Begins to wait before it looks, so that no end is missed.
local function begin_waiting(self)
    self.waiter = core.job_waiter(self.id)
    self.state = ask('select bg.wait_job($1, 0)', self.id)[1]
    if self.state then stop_waiting(self) end
end

function Job:pending()
    if self.state then return nil end
    if not self.waiter or outcome_of(self) and not self.state then begin_waiting(self) end
    if self.waiter then return self.waiter, core.any_notification end
end

function Job:done()
    argcheck.self(self, Job, 'done')
    return self:pending() == nil
end

-- How it has ended; false after the timeout.
function Job:wait(timeout)
    argcheck.self(self, Job, 'wait')
    timeout = argcheck.timeout(timeout, 'timeout')
    local limit = timeout and wait.now() + timeout
    repeat
        if not wait.first({self}, limit and math.max(0, limit - wait.now())) then return false end
    until not self:pending()
    return self.state
end

-- What it has returned, once it has ended; raises its error.
function Job:result(timeout)
    argcheck.self(self, Job, 'result')
    if not self:wait(timeout) then return nil, 'timeout' end
    return value_of(ask('select bg.job_result($1)', self.id)[1])
end

Job.get = Job.result

-- The same; nil and the error instead of raising it.
function Job:try(timeout)
    argcheck.self(self, Job, 'try')
    if not self:wait(timeout) then return nil, 'timeout' end
    local ok, value = pcall(ask, 'select bg.job_result($1)', self.id)
    if not ok then return nil, value end
    return value_of(value[1])
end

-- Both are orders, given when this transaction commits; false when it is too late.
function Job:cancel()
    argcheck.self(self, Job, 'cancel')
    return ask('select bg.cancel_job($1)', self.id)[1]
end

function Job:retry()
    argcheck.self(self, Job, 'retry')
    self.state = nil
    return ask('select bg.retry_job($1)', self.id)[1]
end

function Job:__tostring()
    return string.format('bg.job %d', self.id)
end

-- For the code of a job.

-- The job that this is; nil: it is none.
function job.current() -- internal
    if not core.in_job() then return nil end
    return value_of(ask('select bg.self()')[1])
end

local function check_in_job()
    if core.in_job() then return end
    core.raise('55000', 'this is no job', 'What bg.submit was given calls this while it runs.')
end

function job.cancelled() -- internal
    return core.in_job() and ask('select bg.cancelled()')[1]
end

-- Seconds, or an interval as text.
function job.snooze(delay) -- internal
    check_in_job()
    if not argcheck.is_duration(delay) and type(delay) ~= 'string' and type(delay) ~= 'userdata' then
        argcheck.mismatch('bg.snooze takes a number of seconds or an interval', delay)
    end
    if type(delay) == 'number' then delay = string.format('%.6f s', delay) end
    ask('select bg.snooze($1)', delay)
end

function job.discard(why) -- internal
    check_in_job()
    ask('select bg.discard($1)', argcheck.text(why, 'the reason'))
end

-- Runs fn() unless a former attempt of this job has; what it returns, as it comes back from JSON. What fn
-- does and that it is done is one transaction, which ends here.
function job.step(name, fn) -- internal
    check_in_job()
    argcheck.text(name, 'the name of a step')
    argcheck.callback(fn, 'the step')
    local found = ask('select bg.find_step($1)', name)[1]
    if not found then
        -- In a table: a string by itself would be read as JSON.
        local result = {(fn())}
        ask('select bg.keep_step($1, $2::pg_catalog.jsonb operator(pg_catalog.->) 0)', name, result)
        found = ask('select bg.find_step($1)', name)[1]
        spi.commit()
    end
    return found()[1]
end

return job
