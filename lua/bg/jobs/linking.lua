-- What the scheduler reads and writes of jobs that run after others (bg.job_after).

local sql = require 'bg.jobs.sql'

local linking = {}

-- One that was superseded is done by the one that has taken its place.
local FOLLOW = [[
with moved as (
    delete from bg.job_after a using bg.job_done d
    where a.child = any($1::int8[]) and d.id = a.parent and d.state = 's' and d.superseded_by is not null
    returning a.child, d.superseded_by
)
insert into bg.job_after (child, parent) select distinct child, superseded_by from moved
where child <> superseded_by on conflict do nothing]]

-- What there is before each of these jobs: {child, parent, state}; state: nil while it is still to be done, else as in
-- the history. One of which nothing is known is done: only failures leave a trace in any case.
function linking.links(children) -- internal
    local ids = sql.array(children)
    sql.execute(FOLLOW, ids)
    local list = {}
    for child, parent, state in sql.prepared([[
            select a.child, a.parent, case when j.id is null then coalesce((select d.state::text from bg.job_done d
                where d.id = a.parent order by d.ended_at desc limit 1), 'd') end
            from bg.job_after a left join bg.job j on j.id = a.parent where a.child = any($1::int8[])]]):values(ids) do
        list[#list + 1] = {child = child, parent = parent, state = state}
    end
    return list
end

-- Of these jobs, those that do not run when one before them has not been done.
function linking.careful_children(ids) -- internal
    local list = {}
    for id in sql.prepared([[select id from bg.job where id = any($1::int8[])
            and coalesce(options->>'after_failed', 'cancel') <> 'run']]):values(sql.array(ids)) do
        list[#list + 1] = id
    end
    return list
end

-- These jobs wait for no other one any more.
function linking.release(ids) -- internal
    sql.execute([[
with links as (delete from bg.job_after where child = any($1::int8[]))
update bg.job set has_parents = false where id = any($1::int8[])]], sql.array(ids))
end

return linking
