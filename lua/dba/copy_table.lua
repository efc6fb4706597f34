-- bg.copy_table: the rows of a table into another one, ranges of a key at once, all as of one moment.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local chunks = require 'bg.chunks'
local arguments = require 'dba.arguments'
local catalog = require 'dba.catalog'
local run = require 'dba.run'

local function quote(value)
    return spi.execute('select pg_catalog.quote_literal($1::pg_catalog.text) as text', value)[1].text
end

-- The conditions of ranges that together are all rows there may be, whatever has come since the ranges were made: the
-- first begins, and the last ends nowhere. A list; an item without a condition is false.
local function conditions(source, by, rows)
    arguments.set_formats()
    local starts, ranges = {}, chunks(source.name, {rows = rows, by = by})
    for range in ranges do starts[range.i] = range.lo end
    local key = by == 'ctid' and {name = 'ctid', operators = 'pg_catalog'} or catalog.key_of(source.oid, ranges.by)
    local function compare(operator, value)
        local named = key.operators and string.format('operator(%s.%s)', key.operators, operator) or operator
        return string.format('%s %s %s', key.name, named, quote(arguments.as_text(value)))
    end
    local list = {}
    for i = 1, math.max(1, #starts) do
        local from = i > 1 and compare('>=', starts[i])
        local to = i < #starts and compare('<', starts[i + 1])
        if to and not from and key.nullable then to = string.format('(%s or %s is null)', to, key.name) end
        list[i] = from and to and from .. ' and ' .. to or from or to
    end
    return list
end

-- The table that is copied into, as SQL writes it; made like the other one when it is not there, if that is wanted.
local function target_of(given, source, may_make)
    local found = catalog.find(given.target)
    if found then
        local row = spi.execute(string.format('select exists (select from %s) as any', found.name))[1]
        if row.any then
            core.raise('55000', string.format('%s is not empty', found.name),
                'A copy that is begun again would bring what is there once more: TRUNCATE it, or name another table.')
        end
        return found
    end
    local name = catalog.quoted(given.target)
    local make = string.format('create table %s (like %s including all)', name, source.name)
    if not may_make then
        print(make)
        return {name = name}
    end
    spi.execute(make)
    return catalog.find(given.target)
end

return function(given) -- internal
    local caller = 'bg.copy_table'
    given.on_error = 'stop' -- what a session has copied before an error is lost with it
    local options = arguments.common(given, caller)
    argcheck.text(given.source, 'the name of the table')
    argcheck.text(given.target, 'the name of the other table')
    argcheck.positive(given.rows, 'rows')
    arguments.begin(caller)
    local source = catalog.find(given.source)
    if not source then core.raise('42P01', string.format('relation "%s" does not exist', given.source)) end
    if source.temporary then
        core.raise('0A000', string.format('"%s" is a temporary table: other sessions do not see it', given.source))
    end
    local target = target_of(given, source, not options.dry_run)
    local columns = catalog.columns(source.oid, target.oid)
    local copy = string.format('insert into %s (%s) overriding system value select %s from %s',
        target.name, columns, columns, source.name)
    local items = {}
    for i, condition in ipairs(conditions(source, given.by, given.rows)) do
        items[i] = {item = 'range ' .. i, statement = condition and copy .. ' where ' .. condition or copy}
    end
    spi.commit()
    options.snapshot = true
    return run(items, options)
end
