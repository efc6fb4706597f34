-- What the scheduler writes of jobs that have not ended by their own transaction.

local sql = require 'bg.jobs.sql'

local ending = {}

-- What is said of each job, most of it optional: a list of tables as a relation `d`.
local RECORD = [[(select distinct on (id) * from jsonb_to_recordset($1::jsonb) as r (id int8, attempt int2, state text,
    error jsonb, run_at float8, superseded_by int8, started_at float8, pid int4, note text) order by id) d]]

local SAME = 'j.id = d.id and j.attempt = coalesce(d.attempt, j.attempt)'

-- The last five errors, with the new one.
local ERRORS = [[jsonb_path_query_array(coalesce(j.errors, '[]')
    || (d.error || jsonb_build_object('at', clock_timestamp())), '$[last - 4 to last]')]]

local NOTE_ERRORS = 'update bg.job j set errors = ' .. ERRORS .. ' from ' .. RECORD .. ' where d.error is not null and '
    .. SAME

-- The columns of bg.job are the first of bg.job_done. Failures are kept but for keep = 'none', the others for keep =
-- 'all' only.
local INTO_HISTORY = [[
insert into bg.job_done
select g.*, coalesce((select slot from bg.job_state), 0), d.state::"char", to_timestamp(d.started_at),
    clock_timestamp(), d.pid, null, d.note, case when d.state = 'f' then g.errors->-1 end, d.superseded_by
from gone g join ]] .. RECORD .. [[ on d.id = g.id left join bg.job_queue q on q.name = g.queue
where coalesce(g.options->>'keep', q.keep, 'all') = any (
    case when d.state = 'f' then '{all,failed}' else '{all}' end::text[])]]

local BURY = 'with gone as (delete from bg.job j using ' .. RECORD .. ' where ' .. SAME .. [[ returning j.*
), steps as (delete from bg.job_step s using gone where s.job = gone.id
), links as (delete from bg.job_after a using gone where a.child = gone.id
)]] .. INTO_HISTORY

-- What has failed for the last time has its error among the others first.
local function note_errors(records)
    for _, record in ipairs(records) do
        if record.error then return sql.execute(NOTE_ERRORS, records) end
    end
end

-- Ends jobs: each record says id, attempt (any, when it is left out), state, and what there is of error,
-- superseded_by, started_at, pid, note.
function ending.bury(records) -- internal
    note_errors(records)
    sql.execute(BURY, records)
end

local GO_ON = 'with gone as (select j.* from bg.job j join ' .. RECORD .. ' on ' .. SAME .. [[
), steps as (delete from bg.job_step s using gone where s.job = gone.id
), next_runs as (
    update bg.job j set run_at = to_timestamp(d.run_at), attempt = 0, crashes = 0, snoozed = 0, errors = null
    from ]] .. RECORD .. ' where ' .. SAME .. [[
)]] .. INTO_HISTORY

-- Ends a run of jobs that recur: as bury(), but the job waits for run_at.
function ending.go_on(records) -- internal
    note_errors(records)
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
