-- A trace of bg.trace as a text chart, and in the format of trace viewers.

local argcheck = require 'bg.argcheck'

local trace_chart = {}

local WIDTH, LINES = 100, 100
local NARROWEST, WIDEST = 60, 1000

-- One line of text without breaks.
local function flat(text)
    return (text:gsub('[%c ]+', ' '))
end

-- How many columns a text takes: characters, where it is UTF-8.
local function columns_of(text)
    return utf8.len(text) or #text
end

local function pad(text, width)
    return text .. (' '):rep(width - columns_of(text))
end

-- What the session of a command is called: its pid, its name, where it is.
local function session_name(row)
    local parts = {tostring(row.pid or '?')}
    parts[#parts + 1] = row.name
    parts[#parts + 1] = row.server
    return table.concat(parts, ' ')
end

-- What a row is called.
local function label(row)
    if row.kind == 'command' then return session_name(row) .. ' ' .. flat(row.sql) end
    if row.kind == 'prepare' then return session_name(row) .. ' prepare ' .. flat(row.sql) end
    if row.kind == 'scope' then return string.format('scope %d', row.scope) end
    return string.format('task %d%s', row.task, row.name and ' ' .. flat(row.name) or '')
end

local function duration(seconds)
    if seconds < 1 then return string.format('%.1f ms', seconds * 1000) end
    return string.format('%.2f s', seconds)
end

-- The bar of a row: '.' while it waited, then a letter for each piece of time.
local LETTERS = {ok = '#', failed = '!', cancelled = '!', pending = '>', left = '?'}

local function bar(row, scale, width)
    local started = row.started or row.waited
    local function column(time) return math.min(width, time * scale // 1 | 0) end
    local from = column(math.max(0, started - row.waited))
    local start, last = column(started), column(started + (row.elapsed or 0))
    if not row.started then return (' '):rep(from) .. ('.'):rep(width - from) end
    start = math.min(start, width - 1)
    local length = math.max(1, last - start)
    return (' '):rep(from) .. ('.'):rep(start - from) .. LETTERS[row.state]:rep(length)
end

-- The rows as they are shown: commands without a task, then each task and its commands.
local function in_groups(trace)
    local groups, list = {[0] = {}}, {}
    for _, row in ipairs(trace) do
        if row.scope then
            groups[row.task] = groups[row.task] or {}
            table.insert(groups[row.task], 1, row)
        else
            local task = row.task or 0
            groups[task] = groups[task] or {}
            table.insert(groups[task], row)
        end
    end
    local most = 0
    for task in pairs(groups) do most = math.max(most, task) end
    for task = 0, most do
        for _, row in ipairs(groups[task] or {}) do list[#list + 1] = row end
    end
    return list
end

local known = {
    width = function(value, what)
        if argcheck.count(value, what, NARROWEST) > WIDEST then
            argcheck.mismatch(string.format('%s must be at most %d', what, WIDEST), value)
        end
        return math.tointeger(value)
    end,
    lines = argcheck.positive,
}

-- The trace as lines of text.
function trace_chart.gantt(trace, options) -- internal
    local checked = argcheck.options(options, known, 'gantt')
    local width, most = checked.width or WIDTH, checked.lines or LINES
    local named = math.min(40, width // 3)
    local drawn = width - named - 13 -- two bars and a time
    local scale = drawn / math.max(trace.elapsed, 1e-6)
    local ending = duration(trace.elapsed)
    local lines = {pad('', named) .. '|0' .. (' '):rep(drawn - 1 - #ending) .. ending .. '|'}
    local list = in_groups(trace)
    for i = 1, math.min(most, #list) do
        local row = list[i]
        local indent = row.task and not row.scope and '  ' or ''
        lines[#lines + 1] = string.format('%s|%s| %s', pad(argcheck.clip(indent .. label(row), named - 1), named),
            pad(bar(row, scale, drawn), drawn), row.elapsed and duration(row.elapsed) or '')
    end
    if #list > most then lines[#lines + 1] = string.format('and %d more', #list - most) end
    if trace.dropped > 0 then lines[#lines + 1] = string.format('and %d that were not kept', trace.dropped) end
    return table.concat(lines, '\n')
end

local function quote(text)
    return '"' .. text:gsub('[%c"\\]', function(c) return string.format('\\u%04x', c:byte()) end) .. '"'
end

-- An object of JSON of keys and values by turns; a key whose value is nil is left out. A value that is a table is
-- {JSON}.
local function object(...)
    local list, parts = table.pack(...), {}
    for i = 1, list.n, 2 do
        local value = list[i + 1]
        if type(value) == 'string' then value = quote(value) end
        if type(value) == 'table' then value = value[1] end
        if math.type(value) == 'float' then value = string.format('%.3f', value) end
        if value ~= nil then parts[#parts + 1] = string.format('%s:%s', quote(list[i]), value) end
    end
    return '{' .. table.concat(parts, ',') .. '}'
end

local SESSIONS, TASKS = 1, 2 -- processes of the viewer

local function name_event(kind, process, thread, name)
    return object('name', kind, 'ph', 'M', 'pid', process, 'tid', thread, 'args', {object('name', name)})
end

local function row_event(row, process, thread)
    local is_command = process == SESSIONS
    local name = row.kind == 'command' and argcheck.clip(flat(row.sql), 80) or label(row)
    return object('name', name, 'cat', row.kind, 'ph', 'X',
        'ts', row.started * 1e6, 'dur', row.elapsed * 1e6, 'pid', process, 'tid', thread,
        'args', {object('sql', row.sql, 'state', row.state, 'sqlstate', row.sqlstate, 'error', row.error,
            'task', is_command and row.task or nil, 'scope', row.scope, 'waited_ms', row.waited * 1e3,
            'started_at', row.started_at)})
end

-- The trace as Chrome, Perfetto and others read it: a line for each session, and one for each task.
function trace_chart.json(trace) -- internal
    local events, named = {name_event('process_name', SESSIONS, 0, 'sessions'),
        name_event('process_name', TASKS, 0, 'tasks')}, {}
    for _, row in ipairs(trace) do
        local process = row.scope and TASKS or SESSIONS
        local thread = process == SESSIONS and (row.pid or 0) or row.task
        if row.started then
            local key = process .. ' ' .. thread
            if not named[key] then
                local name = process == TASKS and label(row)
                    or session_name(row)
                events[#events + 1] = name_event('thread_name', process, thread, name)
                named[key] = true
            end
            events[#events + 1] = row_event(row, process, thread)
        end
    end
    return '{"displayTimeUnit":"ms","traceEvents":[\n' .. table.concat(events, ',\n') .. '\n]}'
end

return trace_chart
