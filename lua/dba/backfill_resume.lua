-- bg.backfill_resume: goes on with what is left of a backfill; bg.backfill ends with it, too.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local chunk_work = require 'dba.chunk_work'
local run = require 'dba.run'

-- A chunk that fails with what may not come again, as a lock that somebody held, is tried so often again.
local RETRIES = 5

local BACKFILL = [[
select id, relation, statement, search_path, workers, pause, max_lag, lock_timeout, chunks
from bg.backfill_run
where owner operator(pg_catalog.=) pg_catalog.to_regrole(pg_catalog.quote_ident(current_user))::pg_catalog.oid
    and name operator(pg_catalog.=) $1::pg_catalog.text]]

local CHUNKS = [[
select number, lo, hi from bg.backfill_chunk
where backfill operator(pg_catalog.=) $1::bigint and done_at is null order by number]]

-- Only who has begun it: another's statement would be done with the rights of whoever resumes it.
local function find(name)
    local backfill = spi.execute(BACKFILL, name)[1]
    if backfill then return backfill end
    core.raise('42704', string.format('this role has no backfill "%s"', name),
        'See select * from bg.backfills. Of another role: SET ROLE first.')
end

return function(given) -- internal
    local caller = given.caller or 'bg.backfill_resume'
    local options = arguments.common(given, caller, 'backfill')
    argcheck.text(given.name, 'name')
    arguments.begin(caller)
    local backfill = find(given.name)
    options.workers = options.workers or backfill.workers
    options.retry = RETRIES
    local items, work = {}, chunk_work(backfill)
    for i, chunk in ipairs(spi.execute(CHUNKS, backfill.id)) do
        items[i] = {item = string.format('chunk %d', chunk.number), statement = backfill.statement, work = work(chunk),
            plan = string.format('chunk %d of %d of %s: %s to %s', chunk.number, backfill.chunks, backfill.relation,
                chunk.lo, chunk.hi)}
    end
    spi.commit()
    if options.dry_run then print(backfill.statement) end
    return run(items, options)
end
