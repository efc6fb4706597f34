-- Settings, queues, orders, history: what the scheduler reads and writes besides jobs.

local sql = require 'bg.jobs.sql'

local keeping = {}

local SETTINGS = [[
select least(current_setting('pllua_bg.job_workers')::int4, current_setting('pllua_bg.max_sessions')::int4) as workers,
    current_setting('pllua_bg.job_workers_per_role')::int4 as workers_per_role,
    extract(epoch from current_setting('pllua_bg.job_linger')::interval)::float8 as linger,
    extract(epoch from current_setting('pllua_bg.job_idle')::interval)::float8 as idle,
    extract(epoch from current_setting('pllua_bg.job_keep')::interval)::float8 as keep,
    coalesce((select paused from bg.job_state), false) as paused]]

-- {workers, workers_per_role, linger, idle, keep, paused}: numbers are seconds.
function keeping.settings() -- internal
    return sql.execute(SETTINGS)[1]
end

-- What is set for queues: {name, workers, paused}.
function keeping.queues() -- internal
    return sql.execute('select name, workers, paused from bg.job_queue')
end

-- Why jobs of a role do not run, or nil.
function keeping.hold(owner, name) -- internal
    return sql.execute('select bg.job_holds($1::oid, $2::name) as reason', owner, name)[1].reason
end

-- Of these names by role those that are others now: {[role] = name}. In a copy the numbers of roles mean nothing.
function keeping.new_names(names) -- internal
    local roles, known, changed = {}, {}, {}
    for role, name in pairs(names) do roles[#roles + 1], known[#known + 1] = role, name end
    for role, name in sql.prepared([[select r.oid::int8, r.rolname::text from pg_roles r
            join unnest($1::oid[], $2::text[]) k (role, name) on k.role = r.oid and k.name <> r.rolname::text
            where (select bg.jobs_at_home())]])
            :values(sql.array(roles), known) do
        changed[role] = name
    end
    return changed
end

-- All jobs of the role, also those that have ended, get the name that it has now.
function keeping.write_name(role) -- internal
    for _, tab in ipairs{'bg.job', 'bg.job_done'} do
        sql.execute('update ' .. tab .. [[ j set owner_name = r.rolname from pg_roles r
            where r.oid = $1::oid and j.owner = r.oid and j.owner_name <> r.rolname
                and (select bg.jobs_at_home())]], role)
    end
end

-- True when there is no job at all.
function keeping.is_empty() -- internal
    return sql.execute([[select not exists (select from bg.job)
        and not exists (select from bg.job_order) as is_empty]])[1].is_empty
end

-- The oldest n orders: {id, job, action}.
function keeping.orders(n) -- internal
    return sql.execute('select id, job, action from bg.job_order order by id limit $1::int4', n)
end

function keeping.drop_orders(ids) -- internal
    sql.execute('delete from bg.job_order where id = any($1::int8[])', sql.array(ids))
end

-- Jobs that wait for a time run now. Those that wait for others do not.
function keeping.run_now(id) -- internal
    sql.execute('update bg.job set run_at = null where id = $1 and run_at is not null and not has_parents', id)
end

-- A job that has ended without success is to be done again. It may be as large as can be.
function keeping.revive(id) -- internal
    sql.execute([[
insert into bg.job (id, queue, priority, owner, owner_name, key, key_mode, limit_key, limit_n, every, timezone, sql,
    args, options, search_path, errors, submitted_at) overriding system value
select id, queue, priority, owner, owner_name, key, key_mode, limit_key, limit_n, every, timezone, sql,
    args, options, search_path, errors, submitted_at from bg.job_done d
where d.id = $1 and d.state in ('f', 'c', 'x') order by d.ended_at desc limit 1
on conflict (id) do nothing]], id)
end

-- Jobs that are about to run, and that are suspected when the server crashes. Not lost with that crash. crash_time:
-- when the server was started after the last one.
function keeping.suspect(ids, crash_time) -- internal
    sql.execute("select set_config('synchronous_commit', 'on', true)")
    sql.execute([[insert into bg.job_suspect (job, since) select unnest($1::int8[]), to_timestamp($2)
        on conflict (job) do nothing]], sql.array(ids), crash_time)
end

-- They have ended without harm.
function keeping.acquit(ids) -- internal
    sql.execute('delete from bg.job_suspect where job = any($1::int8[])', sql.array(ids))
end

-- At the start: a crash counts for those that ran when it happened. They wait `delay` seconds then, and twice as long
-- each time: of crashes in quick succession only one counts.
function keeping.count_crashes(crash_time, delay) -- internal
    sql.execute([[
with ran as (delete from bg.job_suspect returning job, since)
update bg.job set crashes = least(crashes + 1, 32767),
    run_at = greatest(run_at, clock_timestamp() + make_interval(secs => $2::float8 * 2 ^ least(crashes, 16)))
from ran where id = job and since <> to_timestamp($1)]], crash_time, delay)
end

local SLOTS = 8

-- Empties the oldest slot of the history when the newest has been filled for long enough; with the others it keeps
-- what is younger than `keep` seconds. True when a slot was to be emptied and is not, because somebody reads it, or
-- because of what an administrator has given it: then also the error.
function keeping.rotate(keep) -- internal
    local state = sql.execute([[select slot, date_part('epoch', clock_timestamp() - slot_since) as age
        from bg.job_state]])[1]
    if not state then
        sql.execute('insert into bg.job_state default values on conflict do nothing')
        return false
    end
    if state.age < keep / (SLOTS - 1) then return false end
    local slot = (state.slot + 1) % SLOTS
    sql.commit()
    sql.execute("select set_config('lock_timeout', '100ms', true)")
    local ok, err = pcall(sql.execute, 'truncate bg.job_done_' .. slot)
    if ok then
        sql.execute('update bg.job_state set slot = $1::int2, slot_since = clock_timestamp()', slot)
    end
    sql.commit()
    return not ok, not ok and err.sqlstate ~= '55P03' and err or nil
end

return keeping
