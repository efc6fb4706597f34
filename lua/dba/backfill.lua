-- bg.backfill: a statement for a whole table, a range of its key at a time, each in a transaction of its own.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local chunks = require 'bg.chunks'
local arguments = require 'dba.arguments'
local resume = require 'dba.backfill_resume'
local run = require 'dba.run'

-- The ends of all ranges: two lists of texts.
local function ranges(given)
    arguments.set_formats()
    local los, his = {}, {}
    for range in chunks(given.relation, {rows = given.rows, by = given.by}) do
        los[range.i], his[range.i] = arguments.as_text(range.lo), arguments.as_text(range.hi)
    end
    return los, his
end

local function check_statement(statement)
    local count = spi.prepare(statement):numargs()
    if count ~= 2 then
        argcheck.fail('the statement of bg.backfill has to have $1 and $2, the ends of a range',
            "As in 'update big set x = 1 where id between $1 and $2'.")
    end
end

-- One of that name that is done gives way.
local DELETE_DONE = [[
delete from bg.backfill_run b
where owner operator(pg_catalog.=) pg_catalog.to_regrole(pg_catalog.quote_ident(current_user))::pg_catalog.oid
    and name operator(pg_catalog.=) $1::pg_catalog.text
    and not exists (
        select from bg.backfill_chunk c where c.backfill operator(pg_catalog.=) b.id and c.done_at is null)]]

local INSERT_RUN = [[
insert into bg.backfill_run (name, relation, statement, search_path, workers, pause, max_lag, lock_timeout, chunks)
values ($1, $2, $3, pg_catalog.current_setting('search_path'), $4, $5, $6, $7, $8)
on conflict do nothing returning id]]

local INSERT_CHUNKS = [[
insert into bg.backfill_chunk (backfill, number, lo, hi)
select $1::bigint, number, lo, hi
from rows from (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]))
    with ordinality as c (lo, hi, number)]]

local function keep(given, los, his)
    spi.execute(DELETE_DONE, given.name)
    local made = spi.execute(INSERT_RUN, given.name, given.relation, given.statement, given.workers, given.pause,
        given.max_lag, given.lock_timeout, #los)
    if made.n == 0 then
        core.raise('42710', string.format('there is a backfill "%s" that is not done', given.name),
            "Go on with it, call bg.backfill_resume('x'), or forget it, delete from bg.backfill_run where name = 'x'.")
    end
    spi.execute(INSERT_CHUNKS, made[1].id, los, his)
end

return function(given) -- internal
    local caller = 'bg.backfill'
    local options = arguments.common(given, caller)
    argcheck.text(given.relation, 'the name of the table')
    argcheck.text(given.statement, 'the statement')
    given.name = given.name == nil and given.relation or argcheck.text(given.name, 'name')
    argcheck.positive(given.rows, 'rows')
    if given.by == 'ctid' then argcheck.fail('bg.backfill takes no ranges of ctid: what it writes changes its own') end
    arguments.begin(caller)
    given.pause = arguments.seconds(given.pause, 'pause') or 0
    given.max_lag = arguments.seconds(given.max_lag, 'max_lag')
    given.lock_timeout = arguments.seconds(given.lock_timeout, 'lock_timeout') or 0
    if given.max_lag then arguments.reads_statistics('max_lag') end
    check_statement(given.statement)
    local los, his = ranges(given)
    if options.dry_run then
        spi.commit()
        print(given.statement)
        local items = {}
        for i, lo in ipairs(los) do
            items[i] = {plan = string.format('chunk %d of %d of %s: %s to %s', i, #los, given.relation, lo, his[i])}
        end
        return run(items, options)
    end
    keep(given, los, his)
    given.caller = caller
    return resume(given)
end
