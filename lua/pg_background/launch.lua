-- Launching workers and taking their results.

local core = require 'bg.core'
local bg = require 'bg'
local argcheck = require 'bg.argcheck'
local workers = require 'pg_background.worker'

local least_queue, largest_queue = 4096, 256 * 1024 * 1024
local longest_name = 63

local function queue_size(asked, settings)
    if asked == nil or asked == 0 then return settings.default_queue_size end
    if asked < least_queue or asked > largest_queue then
        argcheck.fail(('queue size must be from %d to %d bytes, not %d')
            :format(least_queue, largest_queue, asked))
    end
    return asked
end

local function check_number(settings)
    local active = 0
    for _, worker in ipairs(workers.list()) do
        if workers.is_active(worker) then active = active + 1 end
    end
    if active >= settings.max_workers then
        core.raise('53400', 'too many background workers',
            ('This session has %d of them; pg_background.max_workers allows %d.')
                :format(active, settings.max_workers))
    end
end

-- A worker that could not be started completely must not stay.
local undo = {
    __close = function(guard, err)
        if err ~= nil then core.close_scope(guard[1]) end
    end,
}

-- Starts a worker; sql is nil for one that takes commands. `kind` as in pg_background.worker.
local function start(kind, sql, size, label)
    local settings = core.pg_background_settings()
    local options = {queue_size = queue_size(size, settings)}
    if kind ~= 'session' and sql == nil then core.raise('22004', 'sql must not be null') end
    if label and #label <= longest_name then options.name = label end
    check_number(settings)
    local timeout = settings.worker_timeout > 0
    if timeout then options.settings = {statement_timeout = settings.worker_timeout} end
    local handle = bg.launch(options)
    local _ <close> = setmetatable({handle}, undo)
    local worker = {session = handle,
        note = {kind = kind, sql = sql, label = label, timeout = timeout}}
    if sql then worker.note.id = core.send_last(handle, sql, kind == 'submit') end
    workers.save(worker)
    workers.counters.launched = workers.counters.launched + 1
    worker.pid = handle.pid
    return worker
end

local function handle_of(worker)
    return {pid = worker.pid, cookie = core.identity(worker.session).cookie}
end

local function launch_session() return start('session').pid end
local function launch_once(sql, size) return start('once', sql, size).pid end
local function launch(sql, size, label) return handle_of(start('task', sql, size, label)) end
local function submit(sql, size, label) return handle_of(start('submit', sql, size, label)) end

-- Raises unless the caller has said which columns it takes: nothing may be lost on one that cannot.
local function check_caller()
    if core.expected_columns() then return end
    core.raise('0A000', 'a result is rows of columns that the query lists',
        'Write SELECT * FROM pg_background_result(...) AS (name type, ...).')
end

-- Takes the result of a worker; raises the error of its command.
local function take(worker)
    local fields = worker.note
    if fields.kind == 'session' then
        return bg.result(worker.session) or workers.already_consumed(worker.pid)
    end
    if fields.kind == 'submit' then
        core.raise('0A000', ('results are disabled for PID %d'):format(worker.pid),
            'It was started by pg_background_submit; use pg_background_launch for a result.')
    end
    if fields.consumed then workers.already_consumed(worker.pid) end
    workers.wait(worker)
    workers.consume(worker)
    local ok, value = core.fetch(worker.session, fields.id)
    if fields.kind == 'once' then
        core.close(worker.session)
        workers.remember_forgotten(worker.pid)
    end
    if ok == nil then workers.already_consumed(worker.pid) end
    if not ok then error(value, 0) end
    return value
end

-- The rows of a worker's result, for a function that returns a set of records. An empty command has
-- none.
local function give(worker)
    check_caller()
    local result = take(worker)
    if result.columns or result.tag ~= '' then bg.give(result) end
end

return {start = start, launch_session = launch_session, launch_once = launch_once, launch = launch,
    submit = submit, check_caller = check_caller, give = give}
