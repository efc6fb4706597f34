-- A stand-in for the primitives that C++ gives (module 'bg.core'): sessions that are scripts, on a clock that stands
-- still. A command is its own script:  'ok VALUE', 'fail MESSAGE', 'ok VALUE after SECONDS', 'many 1 2 3', 'notice
-- TEXT'. Waiting moves the clock to the moment when what is awaited settles. core_calls.lua compares it with the
-- real one.

local core = {session_metatable = {}, told_handles = {}, time = 0, sessions = {}, log = {}}

local traces = require 'fake_traces' (core)

local next_number = 0
local committed = {}
local news, more, lowest = {}, false, nil -- announced

local function log(text) core.log[#core.log + 1] = text end

function core.raise(sqlstate, message, hint)
    error(setmetatable({sqlstate = sqlstate, message = message, hint = hint},
        {__tostring = function(e) return e.sqlstate .. ' ' .. e.message end}), 0)
end

function core.now() return core.time + 0.0 end

function core.launch(options)
    if options.user and not core.scheduling then
        core.raise('42501', 'only the scheduler of jobs launches sessions of other users')
    end
    next_number = next_number + 1
    local record = {number = next_number, pid = 1000 + next_number, options = options,
        commands = {}, sent = 0,
        free_at = core.time, transaction = 'I', on_notice = options.on_notice}
    core.sessions[next_number] = record
    return core.handle(next_number)
end

function core.handle(number)
    return setmetatable({number = number}, core.session_metatable)
end

local function record_of(handle) return core.sessions[handle.number] end

function core.is_session(object) return getmetatable(object) == core.session_metatable end
function core.number(handle) return handle.number end
function core.is_alive(handle) return record_of(handle) ~= nil end
function core.pid(handle) return record_of(handle) and record_of(handle).pid end
function core.name(handle) return record_of(handle) and record_of(handle).options.name end

function core.find(pid)
    for number, record in pairs(core.sessions) do
        if record.pid == pid then return number end
    end
end

function core.numbers()
    local list = {}
    for number in pairs(core.sessions) do list[#list + 1] = number end
    return list
end

local function result(value) return {n = 1, tag = 'SELECT 1', value = value, {v = value}} end

-- A test may say what the script is: core.answer(sql, ...).
core.answer = nil

-- What a script does.
local function play(command, record)
    local sql = command.sql
    local word, rest = sql:match('^(%a*) ?(.*)$')
    rest = rest and rest:gsub(' after [%d.]+$', '')
    if word == 'fail' then
        command.error = {sqlstate = 'P0001', message = rest, context = 'PL/pgSQL function inline_code_block'}
        record.error = rest
        if record.transaction == 'T' then record.transaction = 'E' end
    elseif word == 'many' then
        command.all = {}
        for item in rest:gmatch('%S+') do command.all[#command.all + 1] = result(item) end
        command.result = command.all[#command.all]
    elseif word == 'prepare' then
        command.result = {n = 0, tag = 'PREPARE'}
    elseif word == 'begin' then
        record.transaction, command.result = 'T', {n = 0, tag = 'BEGIN'}
    elseif word == 'commit' then
        command.result = {n = 0, tag = record.transaction == 'E' and 'ROLLBACK' or 'COMMIT'}
        record.transaction = 'I'
    elseif word == 'rollback' then
        command.result = {n = 0, tag = 'ROLLBACK'}
        if not rest:match('^to ') then record.transaction = 'I' else record.transaction = 'T' end
    else
        command.notice = word == 'notice' and rest or nil
        command.result = result(rest)
    end
end

function core.send(handle, sql, ...)
    local record = record_of(handle)
    if type(sql) == 'table' then sql = sql.sql end -- a prepared statement
    if core.answer then sql = core.answer(sql, ...) or sql end
    if type(sql) ~= 'string' then core.raise('22023', 'the statement must be a string') end
    if not record then core.raise('08003', 'the background session has been closed or detached') end
    record.sent = record.sent + 1
    local length = tonumber(sql:match(' after ([%d.]+)$') or 0)
    record.free_at = math.max(record.free_at, core.time) + length
    local command = {id = record.sent, sql = sql, params = table.pack(...), at = record.free_at}
    record.commands[record.sent] = command
    command.begun = record.free_at - length
    traces.sent(record, command)
    log(sql)
    play(command, record)
    return record.sent
end

local function find(handle, id)
    local record = record_of(handle)
    return record and record.commands[id]
end

function core.state(handle, id)
    local command = find(handle, id)
    if not command then return 'gone' end
    if command.at > core.time then return 'pending' end
    return command.error and 'failed' or 'complete'
end

function core.wait_any(handles, ids, n, timeout)
    local best, best_at
    for i = 1, n do
        local news_only = handles[i] == core.announcement
        local command = not news_only and find(handles[i], ids[i])
        local at = command and command.at or core.time
        if news_only and #news == 0 and not more then at = math.huge end
        if not best or at < best_at then best, best_at = i, at end
    end
    assert(best or timeout, 'waits for ever')
    if not best or (timeout and best_at > core.time + timeout) then
        core.time = core.time + timeout
        return nil, false -- no notification either
    end
    core.time = math.max(core.time, best_at)
    return best
end

function core.wait_one(handle, id, timeout)
    return (core.wait_any({handle}, {id}, 1, timeout)) ~= nil
end

function core.fetch(handle, id)
    local command = find(handle, id)
    if not command or command.at > core.time then return end
    record_of(handle).commands[id] = nil
    local on_notice = record_of(handle).on_notice
    if command.notice and on_notice then on_notice({message = command.notice}) end
    if command.error then return false, command.error end
    return true, command.result, command.all
end

-- Scheduling of coroutines.
core.cooperative = nil -- what has been given; for tests to see

function core.cooperate(exec) core.cooperative = exec end
function core.launch_wait() return 5.0 end
function core.may_yield() return coroutine.isyieldable() end
function core.forget(handle, id) core.cancel_command(handle, id) end
function core.add_context(err, text)
    if type(err) == 'string' then err = {sqlstate = '38000', message = err} end
    err.context = text
    return err
end

function core.close_threads(threads)
    for _, thread in ipairs(threads) do coroutine.close(thread) end
end

function core.exec(handle, sql, ...)
    if core.cooperative then return core.cooperative(handle, sql, ...) end
    local id = core.send(handle, sql, ...)
    core.wait_one(handle, id)
    local ok, value = core.fetch(handle, id)
    if not ok then error(value, 0) end
    return value
end

-- The rows of a result, one at a time.
function core.stream(handle, sql, ...)
    local rows, row = core.exec(handle, sql, ...), 0
    local function next_row()
        row = row + 1
        return rows[row]
    end
    return next_row, setmetatable({}, {__close = function() row = rows.n end})
end

-- What the caller expects as rows; a test may set it.
core.columns = nil

function core.expected_columns() return core.columns end

core.statement_metatable = {}

function core.prepare(handle, sql, types)
    local statement = setmetatable({session = handle, sql = sql, types = types}, core.statement_metatable)
    return statement, core.send(handle, 'prepare ' .. sql)
end

function core.statement_session(statement) return statement.session end

function core.release(statement)
    local open = not statement.released
    statement.released = true
    return open
end

function core.post(handle, sql)
    if record_of(handle) then record_of(handle).commands[core.send(handle, sql)] = nil end
end

local function pick(handle, better)
    local record = record_of(handle)
    local found
    for id in pairs(record and record.commands or {}) do
        if not found or better(id, found) then found = id end
    end
    return found
end

function core.newest(handle) return pick(handle, function(a, b) return a > b end) end
function core.oldest(handle) return pick(handle, function(a, b) return a < b end) end
core.last = core.newest

function core.cancel_command(handle, id)
    local command = find(handle, id)
    if not command or command.at <= core.time then return false end
    -- Answers come in order, also the one of a command that has not begun.
    local record, before = record_of(handle), core.time
    record.free_at = core.time
    for other_id, other in pairs(record.commands) do
        if other_id < id then before = math.max(before, other.at) end
        if other ~= command then record.free_at = math.max(record.free_at, other.at) end
    end
    record.free_at = math.max(record.free_at, before)
    command.at, command.error = before, {sqlstate = '57014', message = 'canceled'}
    return true
end

-- Cancels what runs; true when there is a session.
function core.cancel(handle)
    local id = core.oldest(handle)
    if id then core.cancel_command(handle, id) end
    return record_of(handle) ~= nil
end

function core.status(handle)
    local record = record_of(handle)
    if not record then return {state = 'gone', queued = 0} end
    return {state = 'idle', pid = record.pid, name = record.options.name, queued = 0,
        transaction = record.transaction, progress = record.progress, error = record.error}
end

function core.close(handle)
    local found = record_of(handle) ~= nil
    traces.left(record_of(handle))
    core.sessions[handle.number] = nil
    if found then log('close') end
    return found
end

function core.close_scope(handle) core.close(handle) end

function core.detach(handle)
    local found = record_of(handle) ~= nil
    traces.left(record_of(handle))
    core.sessions[handle.number] = nil
    if found then log('detach') end
    return found
end

-- Notifications come when a test says so.
local arrived = 0
core.any_notification = -1

function core.notify(handle, channel, payload)
    local record = record_of(handle)
    record.inbox = record.inbox or {}
    record.inbox[#record.inbox + 1] = {channel, payload, 1}
    if record.listener then arrived = arrived + 1 end
end

function core.notification(handle)
    local record = record_of(handle)
    if record and record.inbox and record.inbox[1] then
        return table.unpack(table.remove(record.inbox, 1))
    end
end

function core.listen(handle) record_of(handle).listener = true end
function core.arrived() return arrived end
function core.deliver_with(fn) core.deliver = fn end

function core.on_commit(sql, ...) committed[#committed + 1] = table.pack(sql, ...) end
function core.committed() return committed end

-- What lua/pg_background needs. A cookie is 7 times the number of its session.
function core.note(handle, bytes)
    local record = record_of(handle)
    if bytes and record then record.note = bytes else return record and record.note end
end

function core.identity(handle)
    return {cookie = 7 * handle.number, launched_at = '2000-01-01 00:00:00+00', user = 10,
        queue_size = record_of(handle).options.queue_size or 65536}
end

function core.find_exact(pid, cookie)
    local number = core.find(pid)
    return number and cookie == 7 * number and number or nil
end

function core.send_quiet(...) return core.send(...) end

function core.send_last(handle, sql, quiet)
    log(quiet and 'last, quiet' or 'last')
    return core.send(handle, sql)
end

function core.look(handle, id)
    local command = find(handle, id)
    if not command then return nil end
    local seen = {state = core.state(handle, id)}
    if seen.state ~= 'pending' then
        seen.milliseconds = 2.0
        seen.started_at, seen.finished_at = '2000-01-01 00:00:00+00', '2000-01-01 00:00:00.002+00'
    end
    if seen.state == 'complete' then
        seen.tag, seen.rows = command.result.tag, command.result.n
    elseif seen.state == 'failed' then
        seen.sqlstate, seen.message, seen.context = command.error.sqlstate, command.error.message, command.error.context
    end
    return seen
end

function core.terminate(handle)
    log('terminate')
    for _, command in pairs(record_of(handle).commands) do
        command.at, command.error = core.time, {sqlstate = '08006', message = 'lost'}
    end
    return true
end

function core.report_progress() return false end
function core.show_work(handle) return core.is_alive(handle) end
function core.is_slot_awaited() return false end
function core.clip(text, n) return text:sub(1, n) end

-- Durable jobs. A test sets core.scheduling, and then tells core.announce().
core.scheduling = nil
core.announcement = setmetatable({}, {__name = 'announcement'})
core.settled = {} -- states by job

local function check_scheduling()
    if not core.scheduling then core.raise('42501', 'only the scheduler of the database\'s jobs may do this') end
end

function core.announce(id)
    if id == 0 then more = true else news[#news + 1] = id end
end

function core.announced()
    check_scheduling()
    local ids, rescan, from = news, more, lowest
    news, more, lowest = {}, false, nil
    return ids, rescan, from
end

function core.retire_scheduler()
    check_scheduling()
    return #news == 0 and not more
end

function core.settle_waiters(id, state) core.settled[id] = state end
function core.server_time() return 1e9 + core.time end
function core.crash_time() return core.crashed_at end
function core.check_jobs()
    core.raise('55000', 'there are no jobs in this database', 'CREATE EXTENSION pllua_bg_jobs')
end
function core.job_waiter() core.raise('55000', 'jobs do not run in this server') end
function core.job_outcome(waiter) error('bad waiter ' .. tostring(waiter), 0) end
function core.end_job_wait(waiter) error('bad waiter ' .. tostring(waiter), 0) end

core.settings = {max_workers = 3, worker_timeout = 0, default_queue_size = 65536}
function core.pg_background_settings() return core.settings end

function core.in_job() return false end

package.loaded['bg.core'] = core
return core
