-- Workers: a session of bg, and the note that says what pg_background does with it.
--     kind       'session' takes commands; 'once' is forgotten with its result; 'task' stays until
--                it is detached; 'submit' has no result
--     id         the number of its command, of all kinds but 'session'
--     sql label timeout     as given; timeout: worker_timeout was in force
--     consumed canceled timed_out counted      what has become of it
--     kept.*     what core.look said when the result was taken

local core = require 'bg.core'
local bg = require 'bg'
local session = require 'bg.session'
local note = require 'pg_background.note'

local counters = {launched = 0, completed = 0, failed = 0, canceled = 0, timed_out = 0, ended = 0,
    milliseconds = 0}

-- The pids of workers that were forgotten with their result, the newest 64.
local forgotten = {}

local function not_attached(pid)
    core.raise('42704', ('PID %d is not attached to this session'):format(pid))
end

local function already_consumed(pid)
    core.raise('42704', ('results for PID %d have already been consumed'):format(pid))
end

local function save(worker)
    note.write(worker.session, worker.note)
end

local function of_session(handle)
    local fields = note.read(handle)
    return fields and {session = handle, note = fields, pid = handle.pid}
end

-- The worker with this pid. Raises 42704 when there is none, 42501 when it is another user's.
local function by_pid(pid)
    local handle = bg.session(pid)
    if not handle then not_attached(pid) end
    return of_session(handle) or {session = handle, note = {kind = 'session'}, pid = pid}
end

-- The same, to take its result.
local function with_result(pid)
    for _, known in ipairs(forgotten) do
        if known == pid and not bg.session(pid) then already_consumed(pid) end
    end
    return by_pid(pid)
end

-- The worker with this pid and cookie; nil when there is none. Raises 42501 when it is another user's.
local function find(pid, cookie)
    local number = core.find_exact(pid, cookie)
    local handle = number and session.of_number(number)
    return handle and of_session(handle)
end

-- The same. Raises 42704 when there is none: one with that pid has another cookie, or none has it.
local function by_handle(pid, cookie)
    if not (pid and cookie) then core.raise('22004', 'a handle has a pid and a cookie') end
    local worker = find(pid, cookie)
    if worker then return worker end
    local other = bg.session(pid)
    if other and of_session(other) then
        core.raise('42704', ('cookie mismatch for PID %d'):format(pid),
            'Another worker has this pid; a handle is good until its worker is let go.')
    end
    return not_attached(pid)
end

-- All workers the current user may use, oldest first.
local function list()
    local workers = {}
    for _, handle in ipairs(bg.sessions()) do
        local worker = of_session(handle)
        if worker then workers[#workers + 1] = worker end
    end
    return workers
end

local function kept_look(fields)
    if not fields['kept.state'] then return nil end
    local look = {}
    for key, value in pairs(fields) do
        local name = key:match('^kept%.(.*)')
        if name then look[name] = value end
    end
    return look
end

-- What is known of the worker's command: see core.look. Consumes nothing.
local function look(worker)
    local kept = kept_look(worker.note)
    if kept then return kept end
    local id = worker.note.id or core.last(worker.session)
    return id and core.look(worker.session, id)
end

local ended_by_us = {['57014'] = true, ['57P01'] = true, ['08006'] = true}

-- 'running', 'stopped', 'canceled' or 'error'. Never 'starting': a launch returns when there is a
-- process.
local function state(worker, seen)
    if worker.note.kind == 'session' then
        local status = core.status(worker.session)
        if status.state ~= 'gone' then return 'running' end
        return status.error and 'error' or 'stopped'
    end
    seen = seen or look(worker)
    if not seen or seen.state == 'complete' then return 'stopped' end
    if seen.state == 'pending' then return 'running' end
    return worker.note.canceled and ended_by_us[seen.sqlstate] and 'canceled' or 'error'
end

local function is_active(worker)
    return state(worker) == 'running'
end

-- Counts a worker whose command has settled, once.
local function count(worker)
    local fields = worker.note
    if fields.counted or fields.kind == 'session' then return end
    local seen = look(worker)
    if not seen or seen.state == 'pending' then return end
    local now = state(worker, seen)
    local timed_out = fields.timed_out or
        (fields.timeout and now == 'error' and seen.sqlstate == '57014')
    local counter = now == 'stopped' and 'completed' or timed_out and 'timed_out' or
        now == 'canceled' and 'canceled' or 'failed'
    counters[counter] = counters[counter] + 1
    counters.ended = counters.ended + 1
    counters.milliseconds = counters.milliseconds + (seen.milliseconds or 0)
    fields.counted = true
    save(worker)
end

-- Lets the worker go: what was sent is finished.
local function forget(worker)
    count(of_session(worker.session) or worker) -- somebody may have counted it meanwhile
    core.detach(worker.session)
end

local function remember_forgotten(pid)
    table.insert(forgotten, 1, pid)
    forgotten[65] = nil
end

-- Marks the result as taken, and keeps what can still be asked.
local function consume(worker)
    local fields = worker.note
    for key, value in pairs(look(worker) or {}) do fields['kept.' .. key] = value end
    fields.consumed = true
    save(worker)
    count(worker)
end

-- Waits until what was sent is done; false after that many seconds (nil: no limit).
local function wait(worker, seconds)
    if worker.note.id then return core.wait_one(worker.session, worker.note.id, seconds) end
    local handle, id = worker.session:pending()
    return handle == nil or core.wait_one(handle, id, seconds)
end

return {counters = counters, not_attached = not_attached, already_consumed = already_consumed,
    save = save, by_pid = by_pid, with_result = with_result, find = find, by_handle = by_handle,
    list = list, look = look, state = state, is_active = is_active, count = count, forget = forget,
    consume = consume, wait = wait, remember_forgotten = remember_forgotten}
