-- bg.chunks: divides a table into ranges, of a key or of places, that together are all of it.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local spi -- at the first call: tests without a server have none

-- Operators are named with their schema: whoever may create one in a schema of the caller's
-- search_path would otherwise have his run.

-- The relation, and what is below it when it is partitioned or inherited from.
local RELATIONS = [[
with recursive tree as (
    select $1::pg_catalog.regclass::pg_catalog.oid as oid
    union
    select i.inhrelid from pg_catalog.pg_inherits i, tree where i.inhparent operator(pg_catalog.=) tree.oid)
select c.oid operator(pg_catalog.=) $1::pg_catalog.regclass as is_root, c.relkind::pg_catalog.text as kind,
    c.oid::pg_catalog.regclass::pg_catalog.text as name,
    case when c.relkind operator(pg_catalog.=) any (array['r', 'm', 't']::pg_catalog."char"[]) then
        pg_catalog.pg_relation_size(c.oid)
            operator(pg_catalog./) pg_catalog.current_setting('block_size')::bigint end as blocks
from tree, pg_catalog.pg_class c where c.oid operator(pg_catalog.=) tree.oid]]

-- How a key of a type is computed with: `step` is what lies between a key and the next, `count` how
-- many keys there may be between min and max, `at` the key at part i of n.
local INTEGER = {step = '1', finite = 'true'}
INTEGER.count = '(max::numeric operator(pg_catalog.-) min) operator(pg_catalog.+) 1'
INTEGER.at = '(min operator(pg_catalog.+) pg_catalog.floor(((' .. INTEGER.count .. ')'
    .. ' operator(pg_catalog.*) i) operator(pg_catalog./) n))::bigint'
local DATE = {step = '1', finite = 'pg_catalog.isfinite(%s)'}
DATE.count = '(max operator(pg_catalog.-) min) operator(pg_catalog.+) 1'
DATE.at = 'min operator(pg_catalog.+) pg_catalog.floor(((' .. DATE.count .. ')::numeric'
    .. ' operator(pg_catalog.*) i) operator(pg_catalog./) n)::integer'
local SECONDS = 'extract(epoch from max operator(pg_catalog.-) min)'
local TIMESTAMP = {
    step = "interval '1 microsecond'",
    count = '(' .. SECONDS .. ' operator(pg_catalog.*) 1000000) operator(pg_catalog.+) 1',
    at = "min operator(pg_catalog.+) (interval '1 second' operator(pg_catalog.*) ((" .. SECONDS
        .. '::double precision operator(pg_catalog.*) i) operator(pg_catalog./) n::double precision))',
    finite = 'pg_catalog.isfinite(%s)',
}
local KINDS = {
    smallint = INTEGER,
    integer = INTEGER,
    bigint = INTEGER,
    date = DATE,
    ['timestamp without time zone'] = TIMESTAMP,
    ['timestamp with time zone'] = TIMESTAMP,
}

-- The inner bounds of the chunks; by column and table. Both ends of the table's keys are found with
-- an index where there is one.
local BOUNDS = [[
with ends as (
    select pg_catalog.min(@key) as first, pg_catalog.max(@key) as last,
        (select @key from @table where @key is not null and @finite order by @key limit 1) as min,
        (select @key from @table where @key is not null and @finite order by @key desc limit 1) as max
    from @table),
sized as (select ends.*, least($1::numeric, @count) as n from ends)
select sized.first, sized.last, bound.lo, bound.lo operator(pg_catalog.-) @step as before
from sized left join lateral (
    select distinct @at as lo
    from pg_catalog.generate_series(1, n::bigint operator(pg_catalog.-) 1) i) bound
    on bound.lo operator(pg_catalog.>) sized.min
order by bound.lo]]

-- The keys that begin and end a range of about $1 rows, in order; by column and table. Rows with
-- the same key are in the same range.
local EDGES = [[
with ranked as (
    select @key as key,
        (pg_catalog.rank() over (order by @key) operator(pg_catalog.-) 1) operator(pg_catalog./) $1::bigint as part
    from @table where @key is not null),
neighbours as (
    select key, part, pg_catalog.lag(part) over sorted as before, pg_catalog.lead(part) over sorted as after
    from ranked window sorted as (order by key)),
edges as (
    select key, before is null or before operator(pg_catalog.<>) part as first,
        after is null or after operator(pg_catalog.<>) part as last
    from neighbours)
select * from edges where first or last order by key]]

-- The same, lo and hi of each range, for a column that is a key by itself: its index is walked along, which takes a
-- quarter of the time. By column, table and rows of a range but one.
local WALK = [[
with recursive "starts of ranges" as (
    (select @key as lo from @table order by @key limit 1)
    union all
    select (
        select @key from @table where @key operator(pg_catalog.>) "starts of ranges".lo
        order by @key offset @skipped limit 1)
    from "starts of ranges" where "starts of ranges".lo is not null),
"ranges" as (
    select lo, pg_catalog.lead(lo) over (order by lo) as next from "starts of ranges" where lo is not null)
select lo, case when next is null then (select @key from @table order by @key desc limit 1)
    else (select @key from @table where @key operator(pg_catalog.<) "ranges".next order by @key desc limit 1) end as hi
from "ranges" order by lo]]

-- The first column of the primary key, else of a unique key without NULLs; whether it is a key alone.
local UNIQUE_KEY = [[
select a.attname::pg_catalog.text as column, i.indnkeyatts operator(pg_catalog.=) 1 as alone
from pg_catalog.pg_index i, pg_catalog.pg_attribute a
where i.indrelid operator(pg_catalog.=) $1::pg_catalog.regclass
    and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
    and a.attrelid operator(pg_catalog.=) i.indrelid and a.attnum operator(pg_catalog.=) i.indkey[0]
    and not exists (
        select from pg_catalog.pg_attribute n
        where n.attrelid operator(pg_catalog.=) i.indrelid and not n.attnotnull
            and n.attnum operator(pg_catalog.=) any (
                (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts operator(pg_catalog.-) 1]))
order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1]]

-- The row of the relation itself (is_plain: a table without others below it), and the number of blocks of the largest
-- it consists of.
local function examine(name)
    local root, blocks = {}, 0
    local parts = spi.execute(RELATIONS, name)
    for i = 1, parts.n do
        local part = parts[i]
        if part.is_root then root.name, root.kind = part.name, part.kind end
        if part.kind == 'f' then root.foreign = true end
        blocks = math.max(blocks, part.blocks or 0)
    end
    root.is_plain = root.kind == 'r' and parts.n == 1
    return root, blocks
end

-- An iterator over n ranges, which whoever is given it can ask for n; make(i) makes range i.
local function ranges(n, make)
    local i = 0
    return setmetatable({n = n}, {__call = function()
        if i == n then return nil end
        i = i + 1
        local range = make(i)
        range.i, range.n = i, n
        return range
    end})
end

-- How many rows the server expects in the relation.
local function estimate(root)
    local plan = spi.execute('explain select from ' .. root.name)[1][1]
    return tonumber(plan:match('rows=(%d+)')) or 1
end

-- Ranges of blocks, each in all parts of a table at once.
local function by_place(root, blocks, rows)
    local each = math.max(1, math.floor(rows * blocks / math.max(1, estimate(root))))
    return ranges((blocks + each - 1) // each, function(i)
        -- What is added meanwhile is in no range.
        return {lo = string.format('(%d,0)', (i - 1) * each),
            hi = string.format('(%d,65535)', math.min(i * each, blocks) - 1)}
    end)
end

-- The quoted name of a column and its type.
local function key_of(root, column)
    local found = spi.execute([[
        select pg_catalog.quote_ident(attname) as name, pg_catalog.format_type(atttypid, null) as type
        from pg_catalog.pg_attribute
        where attrelid operator(pg_catalog.=) $1::pg_catalog.regclass
            and attname operator(pg_catalog.=) $2::pg_catalog.name
            and attnum operator(pg_catalog.>) 0 and not attisdropped]], root.name, column)[1]
    if not found then
        core.raise('42703', string.format('column "%s" of relation %s does not exist', column, root.name))
    end
    return found.name, found.type
end

-- Ranges of a key with about as many rows each; is_unique: no two rows have the same.
local function by_rows(root, column, rows, is_unique)
    local key, key_type = key_of(root, column)
    local words = {key = key, table = root.name, skipped = string.format('%d', rows - 1)}
    if is_unique and root.is_plain and KINDS[key_type] then
        local walked = spi.execute((WALK:gsub('@(%a+)', words)))
        return ranges(walked.n, function(i) return {lo = walked[i].lo, hi = walked[i].hi} end)
    end
    local edges = spi.execute((EDGES:gsub('@(%a+)', words)), rows)
    local found, lo = {}, nil
    for i = 1, edges.n do
        local edge = edges[i]
        if edge.first then lo = edge.key end
        if edge.last then found[#found + 1] = {lo = lo, hi = edge.key} end
    end
    return ranges(#found, function(i) return found[i] end)
end

-- Ranges of a key, of the same width.
local function by_width(root, column, size)
    local key, key_type = key_of(root, column)
    local kind = KINDS[key_type]
    if not kind then
        core.raise('42804', string.format('bg.chunks cannot make ranges of the same width of type %s', key_type),
            'Option size is for keys of integer types, dates and timestamps; option rows for all that can be ordered.')
    end
    local words = {key = key, table = root.name, step = kind.step, count = kind.count, at = kind.at,
        finite = kind.finite:format(key)}
    local wanted = math.max(1, math.ceil(estimate(root) / size))
    local bounds = spi.execute((BOUNDS:gsub('@(%a+)', words)), wanted)
    local inner = bounds[1].lo == nil and 0 or bounds.n
    return ranges(bounds[1].first == nil and 0 or inner + 1, function(i)
        return {lo = i == 1 and bounds[1].first or bounds[i - 1].lo,
            hi = i <= inner and bounds[i].before or bounds[1].last}
    end)
end

local function unique_key(root)
    local found = spi.execute(UNIQUE_KEY, root.name)[1]
    if found then return found.column, found.alone end
    core.raise('55000', string.format('%s has no unique key that bg.chunks could divide it by', root.name),
        "Name a column with option by, or 'ctid' for work that does not write to it.")
end

local DEFAULT_ROWS = 10000
local known = {rows = argcheck.positive, by = argcheck.text, size = argcheck.positive}

-- An iterator of {lo =, hi =, i =, n =}: `x between lo and hi`, where x is the column, or ctid.
return function(name, options)
    spi = spi or require 'pllua.spi'
    argcheck.text(name, 'the name of the table')
    local checked = argcheck.options(options, known, 'bg.chunks')
    local by, size, rows = checked.by, checked.size, checked.rows
    if size and (rows or not by or by == 'ctid') then
        argcheck.fail('option size of bg.chunks goes with a column in option by, and without option rows')
    end
    local root, blocks = examine(name)
    local has_places = root.kind:find('[rmp]') and not root.foreign
    if not root.kind:find('[rmpfv]') or by == 'ctid' and not has_places then
        core.raise('42809', string.format('bg.chunks cannot divide %s', root.name),
            'It divides tables and materialized views; by a column also views and foreign tables.')
    end
    if by == 'ctid' then return by_place(root, blocks, rows or DEFAULT_ROWS) end
    if size then return by_width(root, by, size) end
    local is_unique = false
    if not by then by, is_unique = unique_key(root) end
    local found = by_rows(root, by, rows or DEFAULT_ROWS, is_unique)
    found.by = by -- for whoever compares it himself
    return found
end
