-- bg.trace: what ran where and when while a function ran: the commands of sessions, and the tasks of scopes. C++ notes
-- the commands, the scheduler tells of tasks; while nobody traces neither does.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local map_sessions = require 'bg.map_sessions'
local scheduler = require 'bg.scheduler'
local trace_chart = require 'bg.trace_chart'

local LIMIT = 10000 -- commands, and tasks, that a trace keeps
local MOST = 1000000

local Trace = {}
Trace.__index = Trace
Trace.__name = 'bg.trace'

function Trace:gantt(options)
    argcheck.self(self, Trace, 'gantt')
    return trace_chart.gantt(self, options)
end

function Trace:json()
    argcheck.self(self, Trace, 'json')
    return trace_chart.json(self)
end

function Trace:__tostring()
    return string.format('bg.trace (%d rows, %d dropped, %.3f s)', self.n, self.dropped, self.elapsed)
end

-- Those that have begun and not ended; one whose coroutine was collected is none any more.
local watches = setmetatable({}, {__mode = 'k'})

-- What is known of a task, on the clock of bg.now; and the numbers of their scopes.
local notes = setmetatable({}, {__mode = 'k'})
local scopes = setmetatable({}, {__mode = 'k'})

local function scope_number(task)
    local scope = task.scheduler
    scopes[scope] = scopes[scope] or core.trace_task()
    return scopes[scope]
end

-- The file, or the function of SQL, and the line where the function of a task begins.
local function place_of(fn)
    local info = type(fn) == 'function' and debug.getinfo(fn, 'S')
    if not info or info.linedefined < 1 then return nil end
    if info.short_src:find('^lua/') then return 'bg' end -- a function of ours
    return string.format('%s:%d', info.short_src, info.linedefined)
end

local function note_of(task, fn)
    local note = notes[task]
    if not note then
        note = {kind = task.is_body and 'scope' or 'task', number = core.trace_task(), scope = scope_number(task),
            name = place_of(fn), added = core.now(), state = 'pending'}
        notes[task] = note
    end
    for watch in pairs(watches) do watch:take(note) end
    return note
end

local function message_of(err)
    local kind = type(err)
    if kind == 'string' then return err end
    local message = kind == 'userdata' and err.message or kind == 'table' and rawget(err, 'message')
    return type(message) == 'string' and message or nil
end

local observer = {}

function observer.added(task, fn) -- internal
    note_of(task, fn)
end

function observer.entered(task) -- internal
    local note = task and note_of(task)
    if note then note.started = note.started or core.now() end
    core.trace_task(note and note.number or 0)
end

function observer.ended(task, state, err) -- internal
    local note = note_of(task)
    note.state, note.ended = state, core.now()
    if state ~= 'failed' then return end
    local sqlstate, message = map_sessions.sqlstate(err), message_of(err)
    note.sqlstate = sqlstate ~= '' and sqlstate or nil
    note.error = message and argcheck.clip(message, 255)
end

local Watch = {}
Watch.__index = Watch

-- One more task, unless it is known.
function Watch:take(note) -- internal
    if self.known[note] then return end
    self.known[note] = true
    if #self.tasks < self.limit then
        self.tasks[#self.tasks + 1] = note
    else
        self.dropped = self.dropped + 1
    end
end

local function begin(limit)
    local watch = setmetatable({limit = limit, tasks = {}, dropped = 0}, Watch)
    watch.known = setmetatable({}, {__mode = 'k'})
    watch.commands = core.trace_begin(limit)
    watch.began = core.now()
    watches[watch] = true
    scheduler.observe(observer)
    observer.entered(scheduler.current())
    return watch
end

-- The watch that ended last, until somebody asks for what it has seen; then that.
local last_watch, last_trace

-- Nothing more is seen. May run while an error is pending: what needs the database is left to read().
local function finish(watch)
    if not watches[watch] then return end
    watches[watch] = nil
    if next(watches) == nil then scheduler.observe(nil) end
    core.trace_end(watch.commands)
    watch.elapsed = core.now() - watch.began
    last_watch, last_trace = watch, nil
end

Watch.__close = finish

-- Of one whose coroutine was collected; nobody asks for what it has seen.
function Watch:__gc()
    watches[self] = nil
    if next(watches) == nil then scheduler.observe(nil) end
end

-- Numbers from 1 for those of a list of notes, in its order.
local function renumber(list, field)
    local numbers, n = {}, 0
    for _, note in ipairs(list) do
        if not numbers[note[field]] then
            n = n + 1
            numbers[note[field]] = n
        end
    end
    return numbers
end

-- When a command began; where the worker has not told, after the one before it in its session; nothing while that one
-- runs.
local function begin_of(command, before)
    if command.begun then return command.begun end
    if not before then return command.sent end
    return before.ended and math.max(command.sent, before.ended)
end

local function command_rows(watch, rows, numbers)
    local commands, dropped = core.trace_commands(watch.commands)
    local before = {}
    for _, command in ipairs(commands) do
        local session = command.session
        command.started = begin_of(command, before[session])
        command.task, command.added = numbers[command.task], command.sent
        command.session, command.sent, command.begun = nil, nil, nil
        before[session] = command
        rows[#rows + 1] = command
    end
    return dropped
end

local function task_rows(watch, rows, numbers)
    local scope_numbers = renumber(watch.tasks, 'scope')
    local function since(time) return time and math.max(0.0, time - watch.began) end
    for _, note in ipairs(watch.tasks) do
        local row = {kind = note.kind, task = numbers[note.number], scope = scope_numbers[note.scope],
            name = note.name, state = 'pending', added = since(note.added), started = since(note.started)}
        if note.ended and since(note.ended) <= watch.elapsed then
            row.state, row.sqlstate, row.error, row.ended = note.state, note.sqlstate, note.error, since(note.ended)
        end
        rows[#rows + 1] = row
    end
end

-- Fields that those who read the rows are given.
local function complete(watch, row)
    local ended = row.ended or watch.elapsed
    row.waited = math.max(0.0, (row.started or ended) - row.added)
    row.started_at = row.started and core.trace_time(watch.commands, row.started)
    row.elapsed = row.started and math.max(0.0, ended - row.started)
    row.added, row.ended = nil, nil
end

-- By the time at which they began to wait; of those at the same time the task before its commands.
local function sort(rows)
    for i, row in ipairs(rows) do row.place = i end
    table.sort(rows, function(a, b)
        if a.added ~= b.added then return a.added < b.added end
        return a.place < b.place
    end)
    for _, row in ipairs(rows) do row.place = nil end
end

-- Makes the trace of what a watch has seen.
local function read(watch)
    local rows, numbers = setmetatable({}, Trace), renumber(watch.tasks, 'number')
    task_rows(watch, rows, numbers)
    local dropped = command_rows(watch, rows, numbers)
    sort(rows)
    for _, row in ipairs(rows) do complete(watch, row) end
    rows.n, rows.dropped, rows.elapsed = #rows, watch.dropped + dropped, watch.elapsed
    rows.started_at = core.trace_time(watch.commands, 0)
    return rows
end

local function limit(value, what)
    if argcheck.positive(value, what) > MOST then argcheck.mismatch(what .. ' must be at most ' .. MOST, value) end
    return math.tointeger(value)
end

local known = {limit = limit}

local trace = {}

-- Calls fn; what was seen meanwhile, and what fn returns.
function trace.trace(fn, options)
    argcheck.callback(fn, 'the argument of bg.trace')
    local checked = argcheck.options(options, known, 'bg.trace')
    local watch <close> = begin(checked.limit or LIMIT)
    local results = table.pack(fn())
    core.trace_receive()
    finish(watch)
    return trace.last(), table.unpack(results, 1, results.n)
end

-- What the bg.trace has seen that ended last, also by an error; nil: there was none.
function trace.last() -- internal
    if last_watch then last_trace, last_watch = read(last_watch), nil end
    return last_trace
end

return trace
