-- Coroutines that wait together. A scheduler runs its tasks one at a time; when each of them waits, it
-- waits for all they wait for, in the coroutine that drives it (Scheduler:run). If that is a task of
-- another scheduler, it yields in turn: so schedulers nest.
--
-- A task does not yield where it may not: inside a pcall that has used the database, in a callback
-- of the C library, in a coroutine that user code has made. There its waits block, and with them
-- the others.

local core = require 'bg.core'
local fifo = require 'bg.fifo'
local requests = require 'bg.requests'
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
                'A pcall that has used the database, a coroutine of your own and the loop of bg.each let no task run.')
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

-- Who is told of tasks: added(task, fn), entered(task) and then of the one that goes on (nil: none is running),
-- ended(task, state, error). nil: nobody.
local observer

local Scheduler = {}
Scheduler.__index = Scheduler

local scheduler = {}

function scheduler.observe(with) -- internal
    observer = with
end

-- The task that runs; nil: none does.
function scheduler.current() -- internal
    return task_of[running()]
end

-- One of which no more than `limit` tasks run at a time. To be closed.
function scheduler.new(limit) -- internal
    count_open(1)
    return setmetatable({limit = limit or math.huge, started = 0, live = 0, number = 0,
        tasks = {}, ready = fifo(), backlog = fifo(), requests = requests.new(), beyond = {}}, Scheduler)
end

local wake

-- Something has changed. Whoever drives the tasks may wait himself, as a task of another scheduler.
local function nudge(self)
    local request = self.driver and self.driver.request
    if request then wake(request) end
end

local function add_ready(self, task)
    self.ready:push(task)
    nudge(self)
end

local function make_ready(self, task, ...)
    task.arguments = table.pack(...)
    add_ready(self, task)
end

local function start(self, task)
    task.counted = true
    self.started = self.started + 1
    add_ready(self, task)
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
        add_ready(self, task)
    elseif self.started < self.limit then
        start(self, task)
    else
        task.place = self.backlog:push(task)
    end
    if observer then observer.added(task, fn) end
    return task
end

-- Notes how many requests wait for tasks of each other scheduler; for what has none, any may settle it.
local ANY = {}

local function count_beyond(self, request, change)
    for _, awaited in ipairs(request.tasks) do
        local other = awaited.scheduler or ANY
        if other ~= self then
            local count = (self.beyond[other] or 0) + change
            self.beyond[other] = count > 0 and count or nil
        end
    end
end

-- The task does not wait any more.
local function leave(self, request)
    request.task.request = nil
    self.requests:leave(request)
    for i, awaited in ipairs(request.tasks) do awaited.watchers:remove(request.watching[i], request) end
    count_beyond(self, request, -1)
end

-- Moves the task of a request among the ready ones; place: of what it waited for.
function wake(request, place)
    local task = request.task
    leave(task.scheduler, request)
    make_ready(task.scheduler, task, place)
end

local function wake_watchers(awaited)
    local watchers = awaited.watchers
    while watchers and watchers.n > 0 do wake(watchers:pop()) end
end

-- Ends the wait of all that wait for something as for a task, a table {state = 'pending'}.
function scheduler.settle(awaited, state) -- internal
    awaited.state = state
    wake_watchers(awaited)
end

local function suspend(self, task, request)
    request.task, request.tasks, request.watching = task, request.tasks or {}, {}
    task.request = request
    self.requests:enter(request)
    count_beyond(self, request, 1)
    local ended = false
    for i, awaited in ipairs(request.tasks) do
        awaited.watchers = awaited.watchers or fifo()
        request.watching[i] = awaited.watchers:push(request)
        ended = ended or awaited.state ~= 'pending'
    end
    if ended then wake(request) end
end

local function start_next(self)
    local task = self.backlog:pop()
    if task then start(self, task) end
end

local function finish(self, task, state, err)
    task.state = state
    if observer then observer.ended(task, state, err) end
    task_of[task.thread] = nil
    self.tasks[task] = nil
    self.live = self.live - 1
    if task.request then leave(self, task.request) end
    if task.counted then
        self.started = self.started - 1
        start_next(self)
    end
    wake_watchers(task)
    nudge(self)
end

local function fail(self, task, err)
    finish(self, task, 'failed', err)
    task.error = err
    self.failed = self.failed or task
    core.close_threads({task.thread}, err)
end

-- What a step of a task has led to: it waits, has ended, or has failed. What else it yields, as the rows of a
-- set-returning function, goes to whoever runs the coroutine that called the scope.
local function take_step(self, task, ok, first, ...)
    if observer then observer.entered(task_of[running()]) end
    if not ok then
        fail(self, task, first)
    elseif status(task.thread) == 'dead' then
        task.value, task.results = first, table.pack(first, ...)
        finish(self, task, 'ok')
    elseif first == REQUEST then
        suspend(self, task, ...)
    else
        make_ready(self, task, yield(first, ...))
    end
end

-- So many steps are done before somebody looks whether there is anything new.
local STEPS = 100

-- False when there are more to do.
local function run_ready(self, finished)
    for _ = 1, STEPS do
        local task = self.ready:pop()
        if not task then return true end
        if task.state == 'pending' then
            local arguments = task.arguments
            task.arguments = nil
            if observer then observer.entered(task) end
            take_step(self, task, resume(task.thread, table.unpack(arguments, 1, arguments.n)))
            if self.failed or finished(self) then return true end
        end
    end
    return self.ready.n == 0
end

-- What stands for the tasks of other schedulers that ours wait for: the driver is woken when one has ended.
local function tasks_beyond(self)
    local list
    for other in pairs(self.beyond) do
        list = list or {}
        list[#list + 1] = {state = 'pending', scheduler = other ~= ANY and other or nil}
    end
    return list
end

local function wait_for(self, plan, deadline)
    local limit = math.min(plan.deadline or math.huge, deadline or math.huge)
    local timeout
    if limit < math.huge then timeout = math.max(0, limit - wait.now()) end
    local tasks = tasks_beyond(self)
    local driver = task_of[running()]
    if not (tasks and driver and core.may_yield()) then
        if plan.n == 0 and not timeout then
            core.raise('40P01', 'the tasks of a scope wait for each other')
        end
        tasks = nil -- whoever runs them is above us, and has to wait
    end
    self.driver = driver
    local index = wait.any(plan.sessions, plan.ids, plan.n, timeout, tasks)
    self.driver = nil
    if index then self.requests:wake_waiters(plan.sessions[index], plan.ids[index], wake) end
end

-- Lets the other tasks run, and whoever drives them see what there is; for tasks that may yield.
function scheduler.pass() -- internal
    yield(REQUEST, {sessions = {}, ids = {}, n = 0, deadline = 0})
end

-- Runs the tasks until finished(scheduler) is true: true, or nil at the deadline. Raises the first error
-- of a task.
function Scheduler:run(finished, deadline) -- internal
    while true do
        local idle = run_ready(self, finished)
        if self.failed then error(self.failed.error, 0) end
        if finished(self) then return true end
        if deadline and wait.now() >= deadline then return nil end
        if not idle and task_of[running()] and core.may_yield() then scheduler.pass() end
        self.requests:wake_sleepers(wait.now(), wake)
        local plan = self.requests:plan()
        if self.ready.n == 0 then
            wait_for(self, plan, deadline)
        elseif plan.n > 0 then
            wait_for(self, plan, 0) -- tasks that are always ready do not keep the others waiting
        end
    end
end

-- Ends tasks that are not running: what they wait for is cancelled, what they have open is closed.
local function cancel(self, list)
    local threads, left = {}, {}
    for i, task in ipairs(list) do
        threads[i] = task.thread
        left[#left + 1] = task.request
        finish(self, task, 'cancelled')
    end
    for _, request in ipairs(left) do requests.cancel(request) end
    core.close_threads(threads)
end

-- Cancels one task; false when it has ended.
function scheduler.cancel(task) -- internal
    if task.state ~= 'pending' then return false end
    if status(task.thread) ~= 'suspended' then
        core.raise('55000', 'a task cannot cancel itself')
    end
    local self = task.scheduler
    if task.place then self.backlog:remove(task.place, task) end
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
    self.backlog = fifo()
    cancel(self, list)
end

Scheduler.__close = Scheduler.close

return scheduler
