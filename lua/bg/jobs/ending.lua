-- What the scheduler writes of jobs that have not ended by their own transaction.

local sql = require 'bg.jobs.sql'

local ending = {}

-- What is said of each job: a list of tables with these fields, most of them optional.
local RECORD = [[jsonb_to_recordset($1::jsonb) as d (id int8, attempt int2, state text, error jsonb, run_at float8,
    superseded_by int8, started_at float8, pid int4, note text)]]

-- The last five errors, with the new one.
local ERRORS = [[case when d.error is null then j.errors else jsonb_path_query_array(
    coalesce(j.errors, '[]') || (d.error || jsonb_build_object('at', clock_timestamp())), '$[last - 4 to last]') end]]

local SAME = 'j.id = d.id and j.attempt = coalesce(d.attempt, j.attempt)'
local SEEN = 'j.*, d.state, d.run_at as next_run, d.started_at, d.pid, d.note, d.superseded_by, ' .. ERRORS
    .. ' as new_errors'

-- A row of history of each row of `gone`. Failures are kept but for keep = 'none', the others for keep = 'all' only.
local INTO_HISTORY = [[
insert into bg.job_done (slot, id, state, queue, priority, run_at, attempt, crashes, snoozed, owner, owner_name, key,
    key_mode, limit_key, limit_n, every, timezone, has_parents, sql, args, options, search_path, errors, submitted_at,
    started_at, ended_at, pid, note, error, superseded_by)
select coalesce((select slot from bg.job_state), 0), id, state::"char", queue, priority, run_at, attempt, crashes,
    snoozed, owner, owner_name, key, key_mode, limit_key, limit_n, every, timezone, has_parents, sql, args,
    gone.options, search_path, new_errors, submitted_at, to_timestamp(started_at), clock_timestamp(), pid, note,
    case when state = 'f' then new_errors->-1 end, superseded_by
from gone left join bg.job_queue q on q.name = queue
where coalesce(q.keep, gone.options->>'keep', 'all') = any (
    case when state = 'f' then '{all,failed}' else '{all}' end::text[])]]

local BURY = 'with gone as (delete from bg.job j using ' .. RECORD .. ' where ' .. SAME .. ' returning ' .. SEEN .. [[
), steps as (delete from bg.job_step s using gone where s.job = gone.id
), links as (delete from bg.job_after a using gone where a.child = gone.id
)]] .. INTO_HISTORY

-- Ends jobs: each record says id, attempt (any, when it is left out), state, and what there is of error,
-- superseded_by, started_at, pid, note.
function ending.bury(records) -- internal
    sql.execute(BURY, records)
end

local GO_ON = 'with gone as (select ' .. SEEN .. ' from bg.job j join ' .. RECORD .. ' on ' .. SAME .. [[
), steps as (delete from bg.job_step s using gone where s.job = gone.id
), next_runs as (
    update bg.job j set run_at = to_timestamp(gone.next_run), attempt = 0, crashes = 0, snoozed = 0, errors = null
    from gone where j.id = gone.id
)]] .. INTO_HISTORY

-- Ends a run of jobs that recur: as bury(), but the job waits for run_at.
function ending.go_on(records) -- internal
    sql.execute(GO_ON, records)
end

-- Jobs that have failed are to be tried again: id, attempt, error, run_at.
function ending.retry(records) -- internal
    sql.execute('update bg.job j set attempt = least(j.attempt + 1, 32767), run_at = to_timestamp(d.run_at), errors = '
        .. ERRORS .. ' from ' .. RECORD .. ' where ' .. SAME, records)
end

-- What decides about a failure: by id, {attempts, backoff, every, timezone}.
function ending.policies(ids) -- internal
    local policies = {}
    for id, attempts, backoff, every, timezone in sql.prepared([[
            select id, (options->>'attempts')::int4, options->>'backoff', every, timezone
            from bg.job where id = any($1::int8[])]]):values(sql.array(ids)) do
        policies[id] = {attempts = attempts, backoff = backoff, every = every, timezone = timezone}
    end
    return policies
end

-- The time of these jobs has come: they are found with those that are ready.
function ending.mark_due(ids) -- internal
    sql.execute('update bg.job set run_at = null where id = any($1::int8[]) and run_at <= clock_timestamp()',
        sql.array(ids))
end

return ending
