-- What can be asked about workers. Consumes nothing.

local core = require 'bg.core'
local workers = require 'pg_background.worker'

local preview_length = 120

-- The columns of pg_background_list; the last is of version 2.0 and may be left out.
local list_types = {'integer', 'bigint', 'timestamp with time zone', 'oid', 'integer', 'text',
    'text', 'text', 'boolean', 'text'}

local function result_info(worker)
    local seen = workers.look(worker) or {}
    return {row_count = seen.rows, command_tag = seen.tag,
        completed = seen.state == 'complete' or seen.state == 'failed',
        has_error = seen.state == 'failed', started_at = seen.started_at,
        finished_at = seen.finished_at}
end

-- The fields of the error; nothing when there is none.
local function error_info(worker)
    local seen = workers.look(worker)
    if not seen or seen.state ~= 'failed' then return nil end
    return {sqlstate = seen.sqlstate, message = seen.message, detail = seen.detail,
        hint = seen.hint, context = seen.context, schema_name = seen.schema,
        table_name = seen.table, column_name = seen.column, constraint_name = seen.constraint}
end

local function outcome(worker)
    local seen = workers.look(worker) or {}
    local identity = core.identity(worker.session)
    workers.count(worker)
    return {pid = worker.pid, cookie = identity.cookie, state = workers.state(worker, seen),
        consumed = worker.note.consumed or false,
        completed = seen.state == 'complete' or seen.state == 'failed',
        has_error = seen.state == 'failed', row_count = seen.rows, command_tag = seen.tag,
        sqlstate = seen.sqlstate, error_message = seen.message, label = worker.note.label,
        launched_at = identity.launched_at}
end

-- The outcome by handle; a handle that cannot be used has its error as outcome.
local function outcome_of(pid, cookie)
    local ok, worker = pcall(workers.by_handle, pid, cookie)
    if ok then return outcome(worker) end
    return {pid = pid, cookie = cookie, consumed = false, completed = false, has_error = true,
        sqlstate = worker.sqlstate, error_message = worker.message}
end

local function full_sql(worker)
    return worker.note.sql or core.status(worker.session).sql
end

local function list_row(worker)
    local identity = core.identity(worker.session)
    local seen = workers.look(worker) or {}
    local sql = full_sql(worker)
    return {worker.pid, identity.cookie, identity.launched_at, identity.user, identity.queue_size,
        workers.state(worker, seen), sql and core.clip(sql, preview_length) or '',
        seen.state == 'failed' and seen.message or nil, worker.note.consumed or false,
        worker.note.label}
end

-- Yields a row for each worker, for a function that returns a set of records.
local function list()
    local expected = core.expected_columns() or {}
    local n = #expected
    local same = n == #list_types or n == #list_types - 1
    for i = 1, same and n or 0 do same = same and expected[i].type == list_types[i] end
    if not same then
        core.raise('42804', 'the columns of pg_background_list are pid int4, cookie int8, ' ..
            'launched_at timestamptz, user_id oid, queue_size int4, state text, ' ..
            'sql_preview text, last_error text, consumed bool, label text')
    end
    for _, worker in ipairs(workers.list()) do
        coroutine.yield(table.unpack(list_row(worker), 1, n))
    end
end

local function stats()
    local active = 0
    for _, worker in ipairs(workers.list()) do
        workers.count(worker)
        if workers.is_active(worker) then active = active + 1 end
    end
    local counters = workers.counters
    return {workers_launched = counters.launched, workers_completed = counters.completed,
        workers_failed = counters.failed, workers_canceled = counters.canceled,
        workers_timed_out = counters.timed_out, workers_active = active,
        avg_execution_ms = counters.ended > 0 and counters.milliseconds / counters.ended or 0.0,
        max_workers = core.pg_background_settings().max_workers}
end

-- For who times his workers himself.
local function record_timeout()
    workers.counters.timed_out = workers.counters.timed_out + 1
end

-- Called by the SQL that runs in a worker.
local function report_progress(percent, message)
    if percent == nil then core.raise('22004', 'the progress must not be null') end
    if not core.report_progress(math.max(0, math.min(100, percent)), 100, message) then
        core.raise('0A000', 'progress can be reported in a background worker only')
    end
end

local function progress(worker)
    local told = core.status(worker.session).progress
    if not told then return nil end
    local part = told.total and told.total > 0 and told.done / told.total or 0
    return {progress_pct = math.floor(math.max(0, math.min(1, part)) * 100 + 0.5),
        progress_msg = told.message}
end

return {result_info = result_info, error_info = error_info, outcome = outcome,
    outcome_of = outcome_of, full_sql = full_sql, list = list, stats = stats,
    record_timeout = record_timeout, report_progress = report_progress, progress = progress}
