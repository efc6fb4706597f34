-- The work of one chunk of a backfill: the statement, and that it is done, in one transaction. Whoever comes to a
-- chunk that is done leaves it alone: so its statement takes effect once, whatever ends in the middle.

local timer = require 'bg.timer'
local wait = require 'bg.wait'
local lag = require 'dba.lag'

-- Operators are named with their schema: the search path is that of the caller.
local BEGIN = [[
begin;
set local lock_timeout = %d;
select from bg.backfill_chunk
where backfill operator(pg_catalog.=) %d::bigint and number operator(pg_catalog.=) %d and done_at is null for update]]
local END = [[
update bg.backfill_chunk set rows = %d, done_at = pg_catalog.clock_timestamp()
where backfill operator(pg_catalog.=) %d::bigint and number operator(pg_catalog.=) %d;
commit]]

local STANDBYS = [[
select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0')::bigint as here,
    pg_catalog.min(pg_catalog.pg_wal_lsn_diff(replay_lsn, '0/0'))::bigint as there
from pg_catalog.pg_stat_replication]]

-- How often it is looked whether standbys have caught up, in seconds.
local LOOK = 0.2

local function wait_for_standbys(backfill, session, await, tracker)
    while true do
        local row = await(session:run(STANDBYS))[1]
        if tracker:after(row.here, row.there, wait.now()) <= backfill.max_lag then return end
        timer.sleep(math.min(LOOK, backfill.max_lag))
    end
end

-- What a session needs for all chunks it gets: the statement as it was given, by the search path of then.
local function prepare(backfill, session)
    session:exec("select pg_catalog.set_config('search_path', $1, false)", backfill.search_path)
    return {statement = session:prepare(backfill.statement), next_at = 0}
end

-- The work of a chunk {number =, lo =, hi =} of the backfill: what run() takes as an item's.
return function(backfill) -- internal
    local states, tracker = setmetatable({}, {__mode = 'k'}), lag.new()
    return function(chunk)
        return function(session, await)
            local state = states[session] or prepare(backfill, session)
            states[session] = state
            timer.sleep(math.max(0, state.next_at - wait.now()))
            if backfill.max_lag then wait_for_standbys(backfill, session, await, tracker) end
            local begin = BEGIN:format(math.ceil(backfill.lock_timeout * 1000), backfill.id, chunk.number)
            local tag = 'done before'
            if await(session:run(begin)).n == 1 then
                local result = await(state.statement:run(chunk.lo, chunk.hi))
                tag = result.tag
                await(session:run(END:format(tonumber(tag:match('%d+$')) or 0, backfill.id, chunk.number)))
            else
                await(session:run('rollback'))
            end
            state.next_at = wait.now() + backfill.pause
            return {tag = tag}
        end
    end
end
