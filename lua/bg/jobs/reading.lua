-- What the scheduler reads of the jobs that are to be done.

local sql = require 'bg.jobs.sql'

local array, prepared = sql.array, sql.prepared

local reading = {}

-- What is known of a job in memory: never its arguments, nor what it has returned.
local COLUMNS = [[
select id, priority, queue, owner::int8, owner_name::text, attempt,
    key is null and limit_key is null and every is null and not has_parents and options is null,
    date_part('epoch', run_at), key, limit_key, limit_n, every, case when every is not null then timezone end,
    has_parents or null, options->>'transaction' = 'false' or null, %s
from bg.job
]]

local columns = COLUMNS:format('null, null')
local crash_time

-- Jobs that were submitted before a crash have is_old.
function reading.note_crash(time) -- internal
    crash_time = time
    if time then columns = COLUMNS:format("crashes, date_part('epoch', submitted_at)") end
end

-- The rows for which the condition holds. What most jobs do not have is no field of theirs: there are many.
local function read(condition, ...)
    local list, n = {}, 0
    for id, priority, queue, owner, owner_name, attempt, is_plain, run_at, key, limit_key, limit_n, every, timezone,
        has_parents, outside, crashes, submitted_at in prepared(columns .. condition):values(...) do
        local job = {id = id, priority = priority, queue = queue, owner = owner, owner_name = owner_name,
            attempt = attempt}
        if run_at then job.run_at = run_at end
        if not is_plain then
            job.key, job.limit_key, job.limit_n = key, limit_key, limit_key and (limit_n or 1)
            job.every, job.timezone, job.has_parents, job.outside = every, timezone, has_parents, outside
        end
        if crash_time and submitted_at < crash_time then job.is_old, job.crashes = true, crashes end
        n = n + 1
        list[n] = job
    end
    return list
end

-- The jobs of the list that there are. One alone waits for us: its statement is not planned each time, as are those of
-- lists, whose length tells how to find them.
function reading.jobs(ids) -- internal
    if #ids == 1 then return read('where id = $1', ids[1]) end
    return read('where id = any($1::int8[]) order by id', array(ids))
end

-- The first n jobs whose id is not less.
function reading.jobs_from(id, n) -- internal
    return read('where id >= $1 order by id limit $2::int4', id, n)
end

-- The n jobs of a queue that are ready and follow the one given, or are the first.
function reading.ready_jobs(what, after, n) -- internal
    if not after then
        return read([[where queue = $1 and owner = $2::oid and run_at is null and not has_parents
            order by priority, id limit $3::int4]], what.queue, what.owner, n)
    end
    return read([[where queue = $1 and owner = $2::oid and run_at is null and not has_parents
        and (priority, id) > ($3::int2, $4::int8) order by priority, id limit $5::int4]],
        what.queue, what.owner, after.priority, after.id, n)
end

-- The same of those with a time, in the order of their times.
function reading.later_jobs(after, n) -- internal
    if not after then
        return read('where run_at is not null and not has_parents order by run_at, id limit $1::int4', n)
    end
    return read([[where run_at is not null and not has_parents and run_at >= to_timestamp($1)
        and (run_at, id) > (to_timestamp($1), $2::int8) order by run_at, id limit $3::int4]], after.run_at, after.id, n)
end

-- The first n jobs of a queue that are ready and have that limit.
function reading.limited_jobs(what, n) -- internal
    return read([[where queue = $1 and run_at is null and not has_parents and owner = $2::oid and limit_key = $3
        order by priority, id limit $4::int4]], what.queue, what.owner, what.limit_key, n)
end

-- Those with a key of one of the jobs, the first n by id: {id, owner, key, mode}.
function reading.jobs_of_keys(ids, n) -- internal
    local list = {}
    for id, owner, key, mode in prepared([[select j.id, j.owner::int8, j.key, j.key_mode::text
            from (select distinct owner, key from bg.job where id = any($1::int8[]) and key is not null) n
            cross join lateral (
                select * from bg.job k where k.owner = n.owner and k.key = n.key order by k.id limit $2::int4) j
            order by j.id limit $2::int4]]):values(array(ids), n) do
        list[#list + 1] = {id = id, owner = owner, key = key, mode = mode or 'r'}
    end
    return list
end

-- The statement of a job and its arguments, as texts; nil when it is no more.
function reading.statement(id) -- internal
    local found = prepared([[select sql, array(select e #>> '{}' from jsonb_array_elements(
            case when jsonb_typeof(args) = 'array' then args else '[]' end) e) as args
        from bg.job where id = $1]]):execute(id)[1]
    if not found then return nil end
    local args = {n = 0}
    for i = 1, #found.args do args[i], args.n = found.args[i], i end
    return found.sql, args
end

return reading
