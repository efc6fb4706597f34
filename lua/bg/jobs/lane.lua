-- A session that runs jobs of one role, and what was sent to it: the entries from first to last, of which there may
-- be `depth`. The first one runs; the others wait in the session, so that it need not wait for us.

local core = require 'bg.core'

local Lane = {}
Lane.__index = Lane

local lane = {}

-- In the search_path of the role: these names of types are words of the grammar, and mean the server's own.
local RUN = 'select bg.run_job($1::bigint, $2::integer)'
local RUN_AGAIN = 'select bg.run_job($1::bigint, $2::integer, pg_catalog.to_timestamp($3::double precision))'
local BEGIN_OUTSIDE = 'select bg.name_job($1::bigint, $2::integer)'

local MOST_AHEAD = 16
local QUICK = 0.005 -- only where jobs take less time others are sent ahead
local TOGETHER = 0.002 -- whoever waits for a job learns of its end so much later, at most
local SLOW = 0.05 -- what is behind one that takes longer goes elsewhere

local function ignore() end

-- Starts a session of the role. Whatever it has set for itself, it writes: a job has an end. Errors: those of
-- core.launch.
function lane.launch(owner) -- internal
    local session = core.launch{user = owner, name = 'jobs', cancel_on_exit = true, wait = 0,
        names = {'default_transaction_read_only'}, values = {'off'}, on_notice = ignore}
    local self = setmetatable({session = session, owner = owner, counts = {}, first = 1, last = 0, depth = 1,
        reserved = 0, each = 1, since = core.now()}, Lane)
    self.statement, self.starting = core.prepare(session, RUN)
    return self
end

function Lane:is_empty() -- internal
    return self.first > self.last and self.reserved == 0
end

-- True when it can take one more job.
function Lane:has_room() -- internal
    return not (self.starting or self.worn or self.leaving or self.broken)
        and self.last - self.first + 1 + self.reserved < self.depth
end

-- A job will be sent soon.
function Lane:reserve() -- internal
    self.reserved = self.reserved + 1
end

-- The command to wait for, nil when there is none: where jobs are short, half of what was sent, so that several are
-- looked at together.
function Lane:awaited() -- internal
    if self.starting then return self.starting end
    local first, last = self.first, self.last
    if first > last then return nil end
    return self[first + math.min((last - first) // 2, math.floor(TOGETHER / self.each))].id
end

-- Sends a job for which room was reserved. next_at: when it runs again, for one that recurs. One that is in no
-- transaction comes to an empty lane, which ends with it.
function Lane:send(job, next_at) -- internal
    local session, entry = self.session, {job = job}
    self.reserved = self.reserved - 1
    if self:is_empty() then self.since = core.now() end
    if job.outside then
        entry.id, entry.step = core.send(session, BEGIN_OUTSIDE, job.id, job.attempt), 'begin'
        self.worn = true
    elseif next_at then
        entry.id = core.send(session, RUN_AGAIN, job.id, job.attempt, next_at + 0.0)
    else
        entry.id = core.send(session, self.statement, job.id, job.attempt)
    end
    self.last = self.last + 1
    self[self.last] = entry
    job.entry = entry
end

-- Sends the statement of the job that is in no transaction, for which the session is ready. Its rows, which may be of
-- any type and number, stay there.
function Lane:send_statement(entry, text, args) -- internal
    entry.id, entry.step = core.send_quiet(self.session, text, table.unpack(args, 1, args.n)), 'statement'
    entry.started_at = core.server_time()
end

-- The outcome of a statement of a job that is in no transaction.
local function look(session, id)
    local seen = core.look(session, id)
    if seen and seen.state == 'pending' then return nil end
    core.forget(session, id)
    if not seen then return false, {sqlstate = '08006', message = 'the session has ended'} end
    if seen.state == 'complete' then return true, 'done' end
    return false, seen
end

-- The outcome of a command: true and the value of its result, or false and the error; nothing while it is pending.
local function fetch(session, id)
    local ok, value = core.fetch(session, id)
    if ok then return true, value.value end
    if ok == false then return false, value end
    local state = core.state(session, id)
    if state == 'pending' then return nil end
    if state ~= 'gone' then return fetch(session, id) end
    return false, {sqlstate = '08006', message = 'the session has ended'}
end

-- When the job that ends now has begun (others that were short may have ended since), and the session's pid.
function Lane:run_of(entry) -- internal
    return entry.started_at or core.server_time() - (core.now() - self.since), core.status(self.session).pid
end

function Lane:is_gone() -- internal
    return core.status(self.session).state == 'gone'
end

-- True when the session has begun, false and the error when it could not, nil while it is starting.
function Lane:begin() -- internal
    local ok, err = fetch(self.session, self.starting)
    if ok ~= nil then self.starting, self.since = nil, core.now() end
    return ok, err
end

-- Sets how many jobs are sent ahead, after `count` have ended.
local function adapt(self, count)
    local now = core.now()
    local each = (now - self.since) / count
    self.since, self.each = now, math.max(each, 1e-6)
    self.depth = each < QUICK and math.min(MOST_AHEAD, self.depth * 2) or 1
end

-- Takes what has ended: calls ended(lane, entry, ok, value) for each, which returns true when the entry goes on.
function Lane:collect(ended) -- internal
    local session, first = self.session, self.first
    while self.first <= self.last do
        local entry = self[self.first]
        local ok, value = (entry.step == 'statement' and look or fetch)(session, entry.id)
        if ok == nil then break end
        if not ended(self, entry, ok, value) then
            self[self.first] = nil
            self.first = self.first + 1
        end
    end
    if self.first > first then adapt(self, self.first - first) end
end

-- Cancels what waits behind a job that takes long; a list of these jobs, which are to run elsewhere. Should one of
-- them have begun all the same, then one of its two runs finds that the other has done it.
function Lane:cut() -- internal
    local jobs = {}
    if self.first >= self.last or core.now() < self.since + SLOW then return jobs end
    for i = self.first + 1, self.last do
        local entry = self[i]
        if not entry.cut then
            entry.cut = true
            core.cancel_command(self.session, entry.id)
            jobs[#jobs + 1] = entry.job
        end
    end
    self.depth = 1
    return jobs
end

-- Seconds until cut() may have something to do; nil: never.
function Lane:until_cut() -- internal
    local second = self[self.first + 1]
    if self.first >= self.last or second.cut then return nil end
    return math.max(0, self.since + SLOW - core.now())
end

-- Cancels a job that was sent.
function Lane:cancel(entry) -- internal
    core.cancel_command(self.session, entry.id)
end

function Lane:close() -- internal
    core.close(self.session)
end

return lane
