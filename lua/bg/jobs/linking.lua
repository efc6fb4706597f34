-- What the scheduler reads and writes of jobs that run after others (bg.job_after).

local sql = require 'bg.jobs.sql'

local linking = {}

-- One that was superseded is done by the one that has taken its place, or the place of that.
local FOLLOW = [[
with recursive chain as (
    select a.child, a.parent as first, d.superseded_by as last from bg.job_after a join bg.job_done d on d.id = a.parent
    where a.child = any($1::int8[]) and d.state = 's' and d.superseded_by is not null
    union
    select c.child, c.first, d.superseded_by from chain c join bg.job_done d on d.id = c.last
    where d.state = 's' and d.superseded_by is not null
), moved as (
    delete from bg.job_after a using chain c where a.child = c.child and a.parent = c.first
)
insert into bg.job_after (child, parent) select distinct c.child, c.last from chain c
where c.child <> c.last and not exists (
    select from bg.job_done d where d.id = c.last and d.state = 's' and d.superseded_by is not null)
on conflict do nothing]]

-- Of these pairs the child waits for the parent, which recurs, no more.
function linking.unlink(pairs_of_jobs) -- internal
    local children, parents = {}, {}
    for i, pair in ipairs(pairs_of_jobs) do children[i], parents[i] = pair.child, pair.parent end
    sql.execute([[
delete from bg.job_after a using unnest($1::int8[], $2::int8[]) as d (child, parent)
where a.child = d.child and a.parent = d.parent]], sql.array(children), sql.array(parents))
end

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
