-- The scheduler of jobs without a server: the fake core with what it has for the scheduler, and tables in memory. A
-- job's sql is a script of fake_core.lua, 'ok after 2' or 'fail 40001 no'; what a run leaves is written by the fake
-- bg.run_job when the command is fetched.
local core = require 'fake_core'

local fake = {time = 1000000, jobs = {}, done = {}, orders = {}, queues = {}, after = {}, ring = {}, settled = {},
    names = {}, renamed = {}, started = {}, warnings = {}, holds = {}, settings = {}, suspects = {}}

local function epoch() return fake.time + core.time end
fake.now = epoch

core.scheduling = true

function core.server_time() return epoch() end

function core.announced()
    local ids, rescan, lowest = fake.ring, fake.rescan or false, fake.lowest
    fake.ring, fake.rescan, fake.lowest = {}, false, nil
    return ids, rescan, lowest
end

function core.settle_waiters(id, state) table.insert(fake.settled, id .. state) end
function core.retire_scheduler() return #fake.ring == 0 and not fake.rescan end
function core.crash_time() return fake.crash_time end

-- What was announced is news; something may be announced later (fake.later: {at, fn}).
local wait_any = core.wait_any
function core.wait_any(handles, ids, n, timeout)
    local own_handles, own_ids, places = {}, {}, {}
    for i = 1, n do
        if handles[i] == core.announcement then
            if #fake.ring > 0 or fake.rescan then return i end
        else
            own_handles[#own_handles + 1], own_ids[#own_ids + 1], places[#places + 1] = handles[i], ids[i], i
        end
    end
    local first = fake.later and fake.later[1]
    local is_first = first and first.at - core.time <= (timeout or math.huge)
    if is_first then timeout = math.max(0, first.at - core.time) end
    local index = wait_any(own_handles, own_ids, #own_ids, timeout)
    if index then return places[index] end
    if is_first then table.remove(fake.later, 1).fn() end
    return nil
end

local next_id = 0

-- Submits a job and announces it; its id.
function fake.submit(script, fields)
    next_id = next_id + 1
    local job = {id = next_id, sql = script, priority = 0, queue = 'default', owner = 10, owner_name = 'joe',
        attempt = 0, crashes = 0, submitted_at = epoch()}
    for name, value in pairs(fields or {}) do job[name] = value end
    fake.jobs[job.id] = job
    for _, parent in ipairs(job.after or {}) do
        job.has_parents = true
        table.insert(fake.after, {child = job.id, parent = parent})
    end
    if not job.silent then table.insert(fake.ring, job.id) end
    return job.id
end

function fake.order(action, id)
    next_id = next_id + 1
    table.insert(fake.orders, {id = next_id, job = id, action = action})
    table.insert(fake.ring, -next_id)
end

local function finish(job, state, fields)
    local row = {id = job.id, state = state}
    for name, value in pairs(fields or {}) do row[name] = value end
    table.insert(fake.done, row)
end

-- bg.run_job: the script that stands for it, and what it leaves when it succeeds.
function core.answer(sql, id, attempt, next_at)
    if sql:match('^prepare') then
        if fake.starts_fail == 0 then return 'prepare ok' end
        fake.starts_fail = fake.starts_fail - 1
        return 'fail to start'
    end
    if not sql:match('run_job') and not sql:match('name_job') then return nil end
    local job = fake.jobs[id]
    if not job or job.attempt ~= attempt then return 'ok gone' end
    if sql:match('name_job') then return 'ok' end
    table.insert(fake.started, id)
    local word, sqlstate = job.sql:match('^(%a+) ?(%w*)')
    if word == 'fail' then return 'fail ' .. sqlstate .. (job.sql:match(' after [%d.]+$') or '') end
    if word == 'gone' then return 'ok gone' end
    job.next_at = next_at
    return 'ok ' .. (word == 'ok' and 'done ' or word .. ' ') .. id .. (job.sql:match(' after [%d.]+$') or '')
end

-- Outcomes get the SQLSTATE that the script has; a success leaves its rows.
local fetch = core.fetch
function core.fetch(handle, id)
    local ok, value, all = fetch(handle, id)
    if ok == false and value.message and value.message:match('^%w%w%w%w%w$') then value.sqlstate = value.message end
    local word, job_id
    if ok then word, job_id = tostring(value.value):match('^(%a+) (%d+)$') end
    if not job_id then return ok, value, all end
    local job = fake.jobs[tonumber(job_id)]
    if not job then return false, {sqlstate = '40001', message = 'has ended meanwhile'} end
    if word == 'done' and job.next_at then
        job.run_at, job.attempt, job.next_at = job.next_at, 0, nil
        finish(job, 'd')
    else
        fake.jobs[job.id] = nil
        finish(job, word == 'done' and 'd' or 'x')
    end
    return true, {n = 1, tag = 'SELECT 1', value = word}
end

local store = {}
fake.store = store

local function copy(job)
    local row = {}
    for _, name in ipairs{'id', 'priority', 'queue', 'owner', 'owner_name', 'attempt', 'run_at', 'key', 'key_mode',
        'limit_key', 'limit_n', 'every', 'timezone', 'has_parents', 'outside', 'crashes', 'submitted_at'} do
        row[name] = job[name]
    end
    row.limit_n = row.limit_key and (row.limit_n or 1)
    row.is_old = fake.crash_time and job.submitted_at < fake.crash_time or nil
    return row
end

local function pick(matches, less, n)
    local list = {}
    for _, job in pairs(fake.jobs) do
        if matches(job) then list[#list + 1] = copy(job) end
    end
    table.sort(list, less or function(a, b) return a.id < b.id end)
    for i = #list, (n or math.huge) + 1, -1 do list[i] = nil end
    return list
end

local function by_priority(a, b)
    if a.priority ~= b.priority then return a.priority < b.priority end
    return a.id < b.id
end

function store.commit() end
function store.jobs(ids)
    local set = {}
    for _, id in ipairs(ids) do set[id] = true end
    return pick(function(job) return set[job.id] end)
end
function store.jobs_from(id, n) return pick(function(job) return job.id >= id end, nil, n) end
function store.ready_jobs(what, after, n)
    return pick(function(job)
        return job.queue == what.queue and job.owner == what.owner and not job.run_at and not job.has_parents
            and (not after or by_priority(after, job))
    end, by_priority, n)
end
function store.later_jobs(after, n)
    local function less(a, b)
        if a.run_at ~= b.run_at then return a.run_at < b.run_at end
        return a.id < b.id
    end
    return pick(function(job) return job.run_at and (not after or less(after, job)) end, less, n)
end
function store.limited_jobs(what, n)
    return pick(function(job)
        return job.queue == what.queue and job.limit_key == what.limit_key and not job.run_at
    end, by_priority, n)
end
function store.jobs_of_keys(ids, n)
    local wanted, list = {}, {}
    for _, job in ipairs(store.jobs(ids)) do
        if job.key then wanted[job.owner .. ' ' .. job.key] = true end
    end
    for _, job in ipairs(pick(function(job) return job.key and wanted[job.owner .. ' ' .. job.key] end, nil, n)) do
        list[#list + 1] = {id = job.id, owner = job.owner, key = job.key, mode = job.key_mode or 'r'}
    end
    return list
end
function store.statement(id)
    local job = fake.jobs[id]
    if job then return job.sql, {n = 0} end
end
function store.policies(ids)
    local policies = {}
    for _, id in ipairs(ids) do
        local job = fake.jobs[id]
        if job then
            policies[id] = {attempts = job.attempts, backoff = job.backoff, every = job.every, timezone = job.timezone}
        end
    end
    return policies
end
function store.bury(records)
    for _, record in ipairs(records) do
        local job = fake.jobs[record.id]
        if job and (not record.attempt or record.attempt == job.attempt) then
            fake.jobs[record.id] = nil
            finish(job, record.state, {error = record.error, note = record.note, superseded_by = record.superseded_by})
        end
    end
end
function store.go_on(records)
    for _, record in ipairs(records) do
        local job = fake.jobs[record.id]
        finish(job, record.state, {error = record.error})
        job.run_at, job.attempt = record.run_at, 0
    end
end
function store.retry(records)
    for _, record in ipairs(records) do
        local job = fake.jobs[record.id]
        job.attempt, job.run_at, job.error = job.attempt + 1, record.run_at, record.error
    end
end
function store.note_crash() end
function store.suspect(ids, crash_time)
    for _, id in ipairs(ids) do fake.suspects[id] = fake.suspects[id] or crash_time end
end
function store.acquit(ids)
    for _, id in ipairs(ids) do fake.suspects[id] = nil end
end
function store.count_crashes(crash_time, delay)
    for id, since in pairs(fake.suspects) do
        local job = fake.jobs[id]
        if job and crash_time and since ~= crash_time then
            job.run_at = fake.now() + delay * 2 ^ job.crashes
            job.crashes = job.crashes + 1
        end
    end
    fake.suspects = {}
end
function store.mark_due(ids)
    for _, id in ipairs(ids) do if fake.jobs[id] then fake.jobs[id].run_at = nil end end
end
function store.settings()
    return {workers = fake.settings.workers or 2, workers_per_role = fake.settings.workers_per_role or 0,
        linger = 60, idle = 10, keep = 604800, paused = fake.settings.paused}
end
function store.queues() return fake.queues end
function store.hold(owner) return fake.holds[owner] end
function store.new_names(names)
    local changed = {}
    for role, name in pairs(names) do
        local now = fake.names[role]
        if now and now ~= name then changed[role] = now end
    end
    return changed
end
function store.write_name(role)
    table.insert(fake.renamed, role)
    for _, job in pairs(fake.jobs) do
        if job.owner == role then job.owner_name = fake.names[role] or job.owner_name end
    end
end
function store.is_empty() return next(fake.jobs) == nil end
function store.orders() return {table.unpack(fake.orders)} end
function store.drop_orders(ids)
    for _, id in ipairs(ids) do
        for i, order in ipairs(fake.orders) do
            if order.id == id then table.remove(fake.orders, i) break end
        end
    end
end
function store.run_now(id)
    local job = fake.jobs[id]
    if job and not job.has_parents then job.run_at = nil end
end
function store.revive(id)
    if fake.jobs[id] then return end
    for i = #fake.done, 1, -1 do
        if fake.done[i].id == id and fake.done[i].state ~= 'd' then
            fake.jobs[id] = {id = id, sql = 'ok', priority = 0, queue = 'default', owner = 10, owner_name = 'joe',
                attempt = 0, crashes = 0, submitted_at = epoch()}
            return
        end
    end
end
function store.rotate() return false end
function store.links(children)
    local wanted, list = {}, {}
    for _, id in ipairs(children) do wanted[id] = true end
    for _, link in ipairs(fake.after) do
        if wanted[link.child] then
            local state
            for _, row in ipairs(fake.done) do if row.id == link.parent then state = row.state end end
            if not fake.jobs[link.parent] and not state then state = 'd' end
            if fake.jobs[link.parent] then state = nil end
            list[#list + 1] = {child = link.child, parent = link.parent, state = state}
        end
    end
    return list
end
function store.unlink(served)
    for _, pair in ipairs(served) do
        for i = #fake.after, 1, -1 do
            local link = fake.after[i]
            if link.child == pair.child and link.parent == pair.parent then table.remove(fake.after, i) end
        end
    end
end

function store.careful_children(ids)
    local list = {}
    for _, id in ipairs(ids) do
        if fake.jobs[id] and fake.jobs[id].after_failed ~= 'run' then list[#list + 1] = id end
    end
    return list
end
function store.release(ids)
    for _, id in ipairs(ids) do fake.jobs[id].has_parents = nil end
end

-- Begins anew: a scheduler over empty tables.
function fake.reset()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    for _, name in ipairs{'jobs', 'done', 'orders', 'queues', 'after', 'ring', 'settled', 'started', 'warnings',
        'holds', 'settings', 'suspects', 'names', 'renamed'} do
        fake[name] = {}
    end
    fake.rescan, fake.lowest, fake.later, fake.crash_time = nil, nil, nil, nil
    fake.starts_fail = 0 -- so many sessions that are launched do not start
    return fake.start()
end

-- A scheduler over the tables as they are.
function fake.start()
    local scheduler = require 'bg.jobs.scheduler'
    return scheduler.new(store, function(message) table.insert(fake.warnings, message) end)
end

-- Lets a scheduler work until nothing is left or so many seconds have passed.
function fake.work(own, seconds)
    local limit = core.time + (seconds or 1000)
    local rounds = 0
    while core.time < limit and (next(fake.jobs) or #fake.ring > 0 or #fake.orders > 0) do
        rounds = rounds + 1
        assert(rounds < 100000, 'spins')
        own:sleep(own:step())
    end
    own:step()
end

-- The states in which jobs have ended, in order: '1d 2f'.
function fake.outcomes()
    local list = {}
    for i, row in ipairs(fake.done) do list[i] = row.id .. row.state end
    return table.concat(list, ' ')
end

return fake
