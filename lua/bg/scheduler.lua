-- Coroutines that wait together. A scheduler runs its tasks one at a time; when each of them waits, it
-- waits for all they wait for, in the coroutine that drives it (Scheduler:run). If that is a task of
-- another scheduler, it yields in turn: so schedulers nest.
--
-- A task does not yield where it may not: inside a pcall that has used the database, in a callback
-- of the C library, in a coroutine that user code has made. There its waits block, and with them
-- the others.

local core = require 'bg.core'
local wait = require 'bg.wait'

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running, status = coroutine.running, coroutine.status

-- The first value a task yields when it waits; the second is what it waits for, as the arguments
-- of wait.any by name. Nobody else has it.
local REQUEST = {}

-- Tasks by their coroutines while these may be suspended.
local task_of = setmetatable({}, {__mode = 'k'})

-- wait.any for all code while a scheduler is open: a task yields, other code blocks.
local function wait_in_task(sessions, ids, n, timeout, tasks)
    local suspendable = task_of[running()] and core.may_yield()
    if not suspendable then
        if tasks then
            core.raise('0A000', 'cannot wait here for a task of a scope',
                'A pcall that has used the database and a coroutine of your own cannot let the tasks run.')
        end
        return wait.block(sessions, ids, n, timeout)
    end
    local index = n > 0 and core.wait_any(sessions, ids, n, 0)
    if index then return index end
    if timeout == 0 then return nil end
    local deadline = timeout and timeout < math.huge and wait.now() + timeout or nil
    return yield(REQUEST, {sessions = sessions, ids = ids, n = n, deadline = deadline, tasks = tasks})
end

-- Code outside schedulers does not pay for them.
local open_schedulers = 0

local function count_open(change)
    open_schedulers = open_schedulers + change
    wait.set_scheduler(open_schedulers > 0 and wait_in_task or nil)
end

local Scheduler = {}
Scheduler.__index = Scheduler

local scheduler = {}

-- One of which no more than `limit` tasks run at a time. To be closed.
function scheduler.new(limit) -- internal
    count_open(1)
    return setmetatable({limit = limit or math.huge, started = 0, live = 0, number = 0,
        tasks = {}, ready = {}, first_ready = 1, backlog = {}, first_in_backlog = 1, waiting = {}}, Scheduler)
end

local function make_ready(self, task, ...)
    task.arguments = table.pack(...)
    self.ready[#self.ready + 1] = task
end

local function start(self, task)
    task.counted = true
    self.started = self.started + 1
    self.ready[#self.ready + 1] = task
end

-- Adds fn(...) as a task; `task` is the table that becomes it. It begins when the others wait.
function Scheduler:go(task, fn, ...) -- internal
    local function body(...) return fn(...) end -- fn may be a callable object
    self.number = self.number + 1
    task.scheduler, task.number, task.state = self, self.number, 'pending'
    task.thread, task.arguments = create(body), table.pack(...)
    task_of[task.thread] = task
    self.tasks[task] = true
    self.live = self.live + 1
    if task.is_body then
        self.ready[#self.ready + 1] = task
    elseif self.started < self.limit then
        start(self, task)
    else
        self.backlog[#self.backlog + 1] = task
    end
    return task
end

local function start_next(self)
    local task = self.backlog[self.first_in_backlog]
    if not task then return end
    self.backlog[self.first_in_backlog] = false
    self.first_in_backlog = self.first_in_backlog + 1
    start(self, task)
end

local function finish(self, task, state)
    task.state = state
    task_of[task.thread] = nil
    self.tasks[task] = nil
    self.live = self.live - 1
    if task.counted then
        self.started = self.started - 1
        start_next(self)
    end
end

local function fail(self, task, err)
    finish(self, task, 'failed')
    task.error = err
    self.failed = self.failed or task
    core.close_threads({task.thread}, err)
end

-- What a step of a task has led to: it waits, has ended, or has failed. The body of a scope yields to
-- whoever called the scope.
local function take_step(self, task, ok, first, ...)
    if not ok then
        fail(self, task, first)
    elseif status(task.thread) == 'dead' then
        task.value, task.results = first, table.pack(first, ...)
        finish(self, task, 'ok')
    elseif first == REQUEST then
        task.request = ...
        self.waiting[#self.waiting + 1] = task
    elseif task.is_body then
        make_ready(self, task, yield(first, ...))
    else
        local _, err = (lpcall or pcall)(core.raise, '0A000', 'a task of a scope cannot yield',
            'Only the function given to bg.scope itself may.')
        fail(self, task, err)
    end
end

local function run_ready(self, finished)
    while self.first_ready <= #self.ready do
        local task = self.ready[self.first_ready]
        self.ready[self.first_ready] = false
        self.first_ready = self.first_ready + 1
        if task.state == 'pending' then
            local arguments = task.arguments
            task.arguments = nil
            take_step(self, task, resume(task.thread, table.unpack(arguments, 1, arguments.n)))
            if self.failed or finished(self) then return end
        end
    end
    self.ready, self.first_ready = {}, 1
end

-- Moves the waiting task among the ready ones; index: of what it waited for.
local function wake(self, task, index)
    task.request = nil
    make_ready(self, task, index)
end

local function has_ended_task(request)
    for _, task in ipairs(request.tasks or {}) do
        if task.state ~= 'pending' then return true end
    end
    return false
end

-- True for a command's number, not for a stream and not for the wait for a notification.
local function is_command(id)
    return math.type(id) ~= nil and id ~= core.any_notification
end

-- Adds the commands of the request to the plan. Commands of a session end in the order they were
-- sent, so that the oldest is all that has to be awaited.
local function add_commands(plan, request)
    for i = 1, request.n do
        local session, id = request.sessions[i], request.ids[i]
        local place = is_command(id) and plan.places[session]
        if not place then
            plan.n = plan.n + 1
            plan.sessions[plan.n], plan.ids[plan.n] = session, id
            if is_command(id) then plan.places[session] = plan.n end
        elseif id < plan.ids[place] then
            plan.ids[place] = id
        end
    end
end

-- What all the waiting tasks wait for; those that have nothing to wait for any more become ready.
local function survey(self)
    local plan = {sessions = {}, ids = {}, n = 0, places = {}}
    local left, now = {}, wait.now()
    for _, task in ipairs(self.waiting) do
        local request = task.request
        if has_ended_task(request) or request.deadline and request.deadline <= now then
            wake(self, task)
        else
            left[#left + 1] = task
            add_commands(plan, request)
            plan.deadline = math.min(plan.deadline or math.huge, request.deadline or math.huge)
            for _, other in ipairs(request.tasks or {}) do
                if other.scheduler ~= self then
                    plan.tasks = plan.tasks or {}
                    plan.tasks[#plan.tasks + 1] = other
                end
            end
        end
    end
    self.waiting = left
    return plan
end

-- The place in the request of a command that has settled with the one given; nil when there is none.
local function place_of(request, session, id)
    for i = 1, request.n do
        local own = request.ids[i]
        if request.sessions[i] == session and
            (own == id or is_command(own) and is_command(id) and own <= id) then
            return i
        end
    end
end

local function wake_waiters(self, session, id)
    local left = {}
    for _, task in ipairs(self.waiting) do
        local place = place_of(task.request, session, id)
        if place then wake(self, task, place) else left[#left + 1] = task end
    end
    self.waiting = left
end

local function wait_for(self, plan, deadline)
    local limit = math.min(plan.deadline or math.huge, deadline or math.huge)
    local timeout
    if limit < math.huge then timeout = math.max(0, limit - wait.now()) end
    local tasks = plan.tasks
    if not (tasks and task_of[running()] and core.may_yield()) then
        if plan.n == 0 and not timeout then
            core.raise('40P01', 'the tasks of a scope wait for each other')
        end
        tasks = nil -- whoever runs them is above us, and has to wait
    end
    local index = wait.any(plan.sessions, plan.ids, plan.n, timeout, tasks)
    if index then wake_waiters(self, plan.sessions[index], plan.ids[index]) end
end

-- Runs the tasks until finished(scheduler) is true: true, or nil at the deadline. Raises the first error
-- of a task.
function Scheduler:run(finished, deadline) -- internal
    while true do
        run_ready(self, finished)
        if self.failed then error(self.failed.error, 0) end
        if finished(self) then return true end
        if deadline and wait.now() >= deadline then return nil end
        local plan = survey(self)
        if #self.ready == 0 then
            wait_for(self, plan, deadline)
        elseif plan.n > 0 then
            wait_for(self, plan, 0) -- tasks that are always ready do not keep the others waiting
        end
    end
end

-- Lets the other tasks run, and whoever drives them see what there is; for tasks that may yield.
function scheduler.pass() -- internal
    yield(REQUEST, {sessions = {}, ids = {}, n = 0, deadline = 0})
end

-- Ends tasks that are not running: what they wait for is cancelled, what they have open is closed.
local function cancel(self, list)
    local threads = {}
    for i, task in ipairs(list) do
        threads[i] = task.thread
        finish(self, task, 'cancelled')
    end
    for _, task in ipairs(list) do
        local request = task.request
        for i = 1, request and request.n or 0 do
            if is_command(request.ids[i]) then core.cancel_command(request.sessions[i], request.ids[i]) end
        end
    end
    core.close_threads(threads)
end

local function remove(list, task, last)
    for i = 1, last do
        if list[i] == task then return table.remove(list, i) end
    end
end

-- Cancels one task; false when it has ended.
function scheduler.cancel(task) -- internal
    if task.state ~= 'pending' then return false end
    if status(task.thread) ~= 'suspended' then
        core.raise('55000', 'a task cannot cancel itself')
    end
    local self = task.scheduler
    remove(self.waiting, task, #self.waiting)
    remove(self.backlog, task, #self.backlog)
    cancel(self, {task})
    return true
end

-- Ends all tasks, the newest first.
function Scheduler:close() -- internal
    if self.ended then return end
    self.ended = true
    count_open(-1)
    local list = {}
    for task in pairs(self.tasks) do list[#list + 1] = task end
    table.sort(list, function(a, b) return a.number > b.number end)
    self.backlog = {}
    cancel(self, list)
end

Scheduler.__close = Scheduler.close

return scheduler
