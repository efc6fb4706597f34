-- Calls every function of 'bg.core' that lua/ calls, in the ways in which it does, and tells of each call what it
-- took and gave, a line each. The fake core has to tell the same as the real one: core_calls_test.lua,
-- test/tap/101_fake_core.pl.
-- Called with the core and with texts of commands: ok, failing, slow, several, parameter.

-- What lua/ compares with words, by the name of the field or of the function.
local IS_A_WORD = {state = true, transaction = true, sqlstate = true}

-- What stands for a value: its type, and the fields that are asked for.
local function shape_with(core)
    local function shape(value, fields)
        local kind = type(value)
        if kind == 'nil' or kind == 'boolean' then return tostring(value) end
        if kind == 'number' then return math.type(value) end
        if kind == 'string' or kind == 'function' or kind == 'thread' then return kind end
        if core.is_session(value) then return 'session' end
        if debug.getmetatable(value) == core.statement_metatable then return 'statement' end
        local parts = {}
        for i, name in ipairs(fields or {}) do
            parts[i] = name .. '=' .. (IS_A_WORD[name] and tostring(value[name]) or shape(value[name]))
        end
        return '{' .. table.concat(parts, ' ') .. '}'
    end
    return shape
end

local RESULT = {'n', 'tag', 'value', 1}
local ERROR = {'sqlstate', 'message'}
local STATUS = {'state', 'pid', 'name', 'queued', 'transaction', 'progress', 'error', 'sql'}
local IDENTITY = {'cookie', 'launched_at', 'user', 'queue_size'}
local COMPLETE = {'state', 'rows', 'tag', 'milliseconds', 'started_at', 'finished_at', 'sqlstate', 'message'}
local FAILED = {'state', 'tag', 'milliseconds', 'sqlstate', 'message', 'detail', 'hint', 'context'}
local SETTINGS = {'max_workers', 'worker_timeout', 'default_queue_size'}

-- A function that calls core[name] and notes it: call(name, fields, ...). `fields` are those read of each object
-- that is given back. Also note(what, value), the lines, and the names called.
local function noting(core)
    local shape, lines, called = shape_with(core), {}, {}
    local function call(name, fields, ...)
        local arguments = {}
        for i = 1, select('#', ...) do arguments[i] = shape((select(i, ...))) end
        local got = table.pack(pcall(core[name], ...))
        local results = {}
        if not got[1] then fields = ERROR end
        for i = 2, got.n do
            results[#results + 1] = IS_A_WORD[name] and got[i] or shape(got[i], fields)
        end
        -- nothing and nil are the same to who assigns it
        while results[#results] == 'nil' do results[#results] = nil end
        lines[#lines + 1] = string.format('%s(%s) %s %s', name, table.concat(arguments, ', '),
            got[1] and 'gives' or 'raises', table.concat(results, ', '))
        called[name] = true
        return table.unpack(got, 2, got.n)
    end
    local function note(what, value)
        lines[#lines + 1] = what .. ' is ' .. shape(value)
    end
    return call, note, lines, called
end

local function sessions(call)
    local s = call('launch', nil, {name = 'looked at'})
    local number = call('number', nil, s)
    call('is_session', nil, s)
    call('is_session', nil, number)
    call('handle', nil, number)
    call('is_alive', nil, s)
    call('name', nil, s)
    local pid = call('pid', nil, s)
    call('find', nil, pid)
    call('find', nil, 0)
    call('numbers', {1})
    local identity = call('identity', IDENTITY, s)
    call('find_exact', nil, pid, identity.cookie)
    call('find_exact', nil, pid, identity.cookie + 1)
    call('note', nil, s)
    call('note', nil, s, 'bytes')
    call('note', nil, s)
    return s
end

local function commands(call, s, sql)
    for _, end_of_queue in ipairs {'newest', 'oldest', 'last'} do call(end_of_queue, nil, s) end
    local id = call('send', nil, s, sql.ok)
    call('wait_one', nil, s, id)
    call('wait_any', nil, {s}, {id}, 1, 0)
    call('state', nil, s, id)
    call('look', COMPLETE, s, id)
    for _, end_of_queue in ipairs {'newest', 'oldest', 'last'} do call(end_of_queue, nil, s) end
    call('cancel_command', nil, s, id)
    call('fetch', RESULT, s, id)
    call('fetch', RESULT, s, id)
    call('look', COMPLETE, s, id)
    id = call('send', nil, s, sql.parameter, 'a text')
    call('forget', nil, s, id)
    id = call('send', nil, s, sql.several)
    call('wait_one', nil, s, id, 60)
    call('fetch', RESULT, s, id)
    id = call('send', nil, s, sql.failing)
    call('wait_one', nil, s, id)
    call('look', FAILED, s, id)
    call('fetch', ERROR, s, id)
    call('exec', RESULT, s, sql.ok)
    call('exec', RESULT, s, sql.failing)
    call('post', nil, s, sql.ok)
    call('status', STATUS, s)
    id = call('send', nil, s, sql.slow)
    call('wait_one', nil, s, id, 0)
    call('wait_any', nil, {s}, {id}, 1, 0)
    call('state', nil, s, id)
    call('fetch', nil, s, id)
    call('cancel_command', nil, s, id)
    call('wait_one', nil, s, id)
    call('fetch', ERROR, s, id)
    id = call('send', nil, s, sql.slow)
    call('cancel', nil, s)
    call('wait_one', nil, s, id)
    call('forget', nil, s, id)
    call('cancel', nil, s)
end

local function statements(call, note, s, sql)
    local statement, id = call('prepare', nil, s, sql.ok)
    call('wait_one', nil, s, id)
    call('fetch', RESULT, s, id)
    call('statement_session', nil, statement)
    call('exec', RESULT, s, statement)
    id = call('send', nil, s, statement)
    call('wait_one', nil, s, id)
    call('release', nil, statement)
    call('release', nil, statement)
    local next_row, stream = call('stream', nil, s, sql.ok)
    local _ <close> = stream
    for _ = 1, 2 do note('the next of stream', select(2, pcall(next_row))) end
end

local function notifications(call, s)
    call('notification', nil, s)
    call('listen', nil, s)
    call('arrived')
    call('deliver_with', nil, function() end)
    call('wait_one', nil, s, call('last', nil, s) or 1, 0, call('arrived'))
end

local function tasks(call)
    call('cooperate', nil, function() end, function() end)
    call('cooperate', nil, nil, nil)
    call('may_yield')
    call('launch_wait')
    call('is_slot_awaited')
    call('close_threads', nil, {coroutine.create(function() end)})
    call('close_threads', nil, {coroutine.create(function() end)}, 'an error')
    call('add_context', {'sqlstate', 'message', 'context'}, 'text', 'a line')
end

local function traces(call, note, s, sql)
    local trace = call('trace_begin', nil, 2)
    local task = call('trace_task')
    call('trace_task', nil, task)
    call('exec', RESULT, s, sql.ok)
    call('trace_task', nil, 0)
    call('exec', RESULT, s, sql.failing)
    call('exec', RESULT, s, sql.ok)
    call('trace_receive')
    call('trace_end', nil, trace)
    local list = call('trace_commands', nil, trace)
    for i, command in ipairs(list) do
        for _, name in ipairs{'session', 'pid', 'name', 'server', 'sql', 'sqlstate', 'error', 'task', 'sent', 'begun',
            'ended'} do
            note(name .. ' of traced command ' .. i, command[name])
        end
        for _, name in ipairs{'state', 'kind'} do note(name .. ' ' .. command[name] .. ' of ' .. i, command[name]) end
    end
    note('its task', list[1].task == task)
    call('trace_time', nil, trace, 1)
end

-- Here is no scheduler, and no job runs.
local function jobs(call)
    call('check_jobs')
    call('in_job')
    call('announced')
    call('retire_scheduler')
    call('settle_waiters', nil, 1, 'd')
    call('server_time')
    call('crash_time')
    call('job_waiter', nil, 1)
    call('job_outcome', nil, 1)
    call('end_job_wait', nil, 1)
    call('in_job')
    call('launch', nil, {user = 10})
end

local function others(call, sql)
    call('now')
    call('raise', nil, '22023', 'a message')
    call('raise', nil, '22023', 'a message', 'a hint')
    call('expected_columns')
    call('report_progress', nil, 1, 2, 'a part')
    call('clip', nil, 'text', 2)
    call('pg_background_settings', SETTINGS)
    call('on_commit', nil, sql.ok)
end

local function ends(call, s, sql)
    local last = call('launch', nil, {})
    call('show_work', nil, last, 1, 2, 'a map')
    call('show_work', nil, last, 1, nil, 'a map')
    call('look', 'quiet', last, call('send_quiet', nil, last, sql.ok))
    call('send_last', nil, last, sql.ok, true)
    call('terminate', nil, call('launch', nil, {}))
    call('detach', nil, last)
    call('detach', nil, last)
    call('close_scope', nil, call('launch', nil, {}))
    call('close', nil, s)
    call('close', nil, s)
    call('is_alive', nil, s)
    call('status', {'state', 'queued'}, s)
    call('state', nil, s, 1)
    call('fetch', nil, s, 1)
    call('send', nil, s, sql.ok)
    call('post', nil, s, sql.ok)
end

-- The lines, and the names of what has been called, as keys.
return function(core, sql)
    local call, note, lines, called = noting(core)
    local s = sessions(call)
    commands(call, s, sql)
    statements(call, note, s, sql)
    notifications(call, s)
    tasks(call)
    traces(call, note, s, sql)
    jobs(call)
    others(call, sql)
    ends(call, s, sql)
    for _, name in ipairs {'any_notification', 'session_metatable', 'statement_metatable', 'told_handles'} do
        lines[#lines + 1] = name .. ' is a ' .. (math.type(core[name]) or type(core[name]))
        called[name] = true
    end
    called.announcement = true -- userdata, for which the fake has a table
    return lines, called
end
