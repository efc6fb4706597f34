-- The one place where Lua code of bg waits. Everything that can be waited for has a method
-- pending(), which returns
--     nothing            when it has settled
--     session, id        while a command of a session is awaited
--     nil, nil, deadline while a time (of wait.now) is awaited
--     nil, nil, math.huge, task while a task of a scope is awaited, or what tasks settle: see scheduler.settle
-- While a scheduler is given (wait.set_scheduler), a task that waits lets the others run; else all waits block.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local notify = require 'bg.notify'

local wait = {now = core.now}

-- Seconds until a time, from now; nil: no limit.
local function left_until(limit)
    return limit and math.max(0, limit - core.now())
end

-- What the scheduler has given; nil while there is none.
local wait_in_task

-- True when that command has settled, false after timeout seconds (nil: no limit). Notifications
-- that come meanwhile are handed out.
function wait.one(session, id, timeout) -- internal
    if wait_in_task then return wait_in_task({session}, {id}, 1, timeout) ~= nil end
    if not notify.seen() then return core.wait_one(session, id, timeout) end
    local limit = timeout and core.now() + timeout
    while true do
        local settled = core.wait_one(session, id, left_until(limit), notify.seen())
        notify.deliver()
        if settled ~= nil then return settled end
    end
end

-- The index of one that has settled; nil after the timeout. Notifications as above. Lets nothing else
-- run.
function wait.block(sessions, ids, n, timeout) -- internal
    if not notify.seen() then return (core.wait_any(sessions, ids, n, timeout)) end
    local limit = timeout and core.now() + timeout
    while true do
        local index, news = core.wait_any(sessions, ids, n, left_until(limit), notify.seen())
        notify.deliver()
        if not news then return index end
    end
end

-- The same, but a task lets the others run. `tasks`: the tasks that are waited for, too.
function wait.any(sessions, ids, n, timeout, tasks) -- internal
    if wait_in_task then return wait_in_task(sessions, ids, n, timeout, tasks) end
    if tasks and n == 0 and timeout ~= 0 then
        core.raise('55000', 'there is no task that could end this wait',
            'Channels are for the tasks of a scope: see bg.scope.')
    end
    return wait.block(sessions, ids, n, timeout)
end

local sent_metatable = {
    __close = function(sent)
        if sent.id then core.forget(sent.session, sent.id) end
    end,
}

-- What core.exec does while there is a scheduler.
local function exec(session, ...)
    local id = core.send(session, ...)
    local sent <close> = setmetatable({session = session, id = id}, sent_metatable)
    wait.one(session, id)
    sent.id = nil
    local ok, value = core.fetch(session, id)
    if ok then return value end
    if ok == nil then core.raise('08003', 'the background session has been closed or detached') end
    error(value, 0)
end

-- How a stream waits for rows meanwhile.
local function wait_rows(session, stream)
    wait.any({session}, {stream}, 1)
end

-- From now on all waits of Lua code, those of core.exec and of streams among them, go through
-- fn(sessions, ids, n, timeout, tasks), which is as wait.any; nil: they block again.
function wait.set_scheduler(fn) -- internal
    wait_in_task = fn
    core.cooperate(fn and exec, fn and wait_rows)
end

-- Only errors of Lua are caught: rows and results have fields that are not to be asked for.
local protect = lpcall or pcall

local function method_pending(object)
    return type(object.pending) == 'function'
end

function wait.is_waitable(object) -- internal
    local kind = type(object)
    if kind ~= 'table' and kind ~= 'userdata' then return false end
    local ok, waitable = protect(method_pending, object)
    return ok and waitable
end

-- The list of waitables, checked. `caller` is named in the message.
function wait.check_list(list, caller) -- internal
    if type(list) ~= 'table' then
        argcheck.mismatch(caller .. ' takes a list of futures', list)
    end
    for i = 1, #list do
        if not wait.is_waitable(list[i]) then
            argcheck.fail(string.format('%s: element %d cannot be waited for: %s',
                caller, i, argcheck.describe(list[i])))
        end
    end
    return list
end

-- The index of the first in the list that has settled, or else what to wait for: sessions, ids,
-- their indexes in the list, and the earliest deadline with its index.
local function survey(list)
    local sessions, ids, indexes, n = {}, {}, {}, 0
    local earliest, earliest_index, tasks
    for i = 1, #list do
        local session, id, deadline, task = list[i]:pending()
        if task then
            tasks = tasks or {}
            tasks[#tasks + 1] = task
        end
        if session then
            n = n + 1
            sessions[n], ids[n], indexes[n] = session, id, i
        elseif not deadline then
            return i
        elseif not earliest or deadline < earliest then
            earliest, earliest_index = deadline, i
        end
    end
    return nil, {sessions = sessions, ids = ids, indexes = indexes, n = n,
        deadline = earliest, timer = earliest_index, tasks = tasks}
end

-- Waits until one of the list settles; its index, or nil after timeout seconds.
function wait.first(list, timeout) -- internal
    local limit = timeout and wait.now() + timeout
    while true do
        local settled, plan = survey(list)
        if settled then return settled end
        local until_time = limit
        if plan.deadline and (not limit or plan.deadline < limit) then
            until_time = plan.deadline
        end
        local left = until_time and math.max(0, until_time - wait.now())
        local index = wait.any(plan.sessions, plan.ids, plan.n, left, plan.tasks)
        if index then return plan.indexes[index] end
        if plan.deadline and wait.now() >= plan.deadline then return plan.timer end
        if limit and wait.now() >= limit then return nil end
    end
end

-- The method `wait` of what is waitable by itself: true when it has settled, false after the timeout.
function wait.method(self, timeout) -- internal
    if not wait.is_waitable(self) then
        argcheck.fail(string.format("'wait' is called on %s", argcheck.describe(self)),
            'Methods are called with a colon: object:wait(...).')
    end
    return wait.first({self}, argcheck.timeout(timeout, 'timeout')) ~= nil
end

return wait
