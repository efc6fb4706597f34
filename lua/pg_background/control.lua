-- Waiting for workers, cancelling them, letting them go.

local core = require 'bg.core'
local workers = require 'pg_background.worker'

local longest_grace = 3600 * 1000

local function seconds(milliseconds)
    return milliseconds / 1000
end

-- A limit as pg_background has it: none when it is not positive.
local function limit(milliseconds)
    if milliseconds and milliseconds > 0 then return seconds(milliseconds) end
end

local function wait(worker, milliseconds)
    local settled = workers.wait(worker, limit(milliseconds))
    if settled then workers.count(worker) end
    return settled
end

-- Waits no longer than that, be it 0.
local function wait_timeout(worker, milliseconds)
    return workers.wait(worker, seconds(math.max(milliseconds, 0)))
end

-- The handles in an array of any shape, but for those that are NULL.
local function list_of(array)
    local list = {}
    array{discard = true, map = function(handle)
        if handle and (handle.pid or handle.cookie) then list[#list + 1] = handle end
    end}
    return list
end

-- The handle of the first worker in the array that is done; nil after the timeout, and when no
-- handle in it is of a worker.
local function wait_any(handles, milliseconds)
    local waited, sessions, ids, n = {}, {}, {}, 0
    for _, handle in ipairs(list_of(handles)) do
        local worker = handle.pid and handle.cookie and workers.find(handle.pid, handle.cookie)
        if worker then
            local id = worker.note.id or core.last(worker.session)
            if not id then return handle end
            n = n + 1
            waited[n], sessions[n], ids[n] = handle, worker.session, id
        end
    end
    if n == 0 then return nil end
    local index = core.wait_any(sessions, ids, n, limit(milliseconds))
    return index and waited[index]
end

-- Asks the running command to stop; true when there was one.
local function ask(worker)
    if workers.wait(worker, 0) then return false end
    if worker.note.id then
        worker.note.canceled = true
        workers.save(worker)
        core.cancel_command(worker.session, worker.note.id)
    else
        core.cancel(worker.session)
    end
    return true
end

-- Cancels all in the list; those that still run after the grace (not positive: none is set) are
-- terminated. The number of workers that ran.
local function cancel_list(list, grace)
    local asked = {}
    for _, worker in ipairs(list) do
        if ask(worker) then asked[#asked + 1] = worker end
    end
    local patience = limit(math.min(grace or 0, longest_grace))
    if patience then
        local stop = core.now() + patience
        for _, worker in ipairs(asked) do
            if not workers.wait(worker, math.max(stop - core.now(), 0)) then
                core.terminate(worker.session)
            end
        end
    end
    return #asked
end

local function cancel(worker, grace)
    cancel_list({worker}, grace)
end

local function cancel_all()
    return cancel_list(workers.list())
end

-- Cancels the workers whose label is LIKE the pattern.
local function cancel_by_label(pattern, grace)
    local list = {}
    for _, worker in ipairs(workers.list()) do
        local label = worker.note.label
        if label and spi.execute('select pg_catalog.textlike($1, $2) as found', label, pattern)[1].found then
            list[#list + 1] = worker
        end
    end
    return cancel_list(list, grace)
end

local function forget_list(list)
    for _, worker in ipairs(list) do workers.forget(worker) end
    return #list
end

local function detach_all()
    return forget_list(workers.list())
end

-- Forgets the workers that have ended.
local function purge()
    local ended = {}
    for _, worker in ipairs(workers.list()) do
        if not workers.is_active(worker) then ended[#ended + 1] = worker end
    end
    return forget_list(ended)
end

return {wait = wait, wait_timeout = wait_timeout, wait_any = wait_any, cancel = cancel,
    cancel_all = cancel_all, cancel_by_label = cancel_by_label, detach_all = detach_all,
    purge = purge, limit = limit, list_of = list_of}
