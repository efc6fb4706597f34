-- bg.reindex_tables: all indexes of the tables that match a pattern, those of their TOAST tables too.

local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local catalog = require 'dba.catalog'
local order = require 'dba.order'
local run = require 'dba.run'

return function(given) -- internal
    local caller = 'bg.reindex_tables'
    local options = arguments.common(given, caller)
    local concurrently = argcheck.boolean(given.concurrently, 'concurrently')
    arguments.begin(caller)
    local tables = {}
    for _, found in ipairs(catalog.relations(given.pattern, {'r', 'm'}, 'table')) do tables[#tables + 1] = found.oid end
    local command = concurrently and 'reindex index concurrently ' or 'reindex index '
    local items = {}
    for _, index in ipairs(catalog.indexes(tables)) do
        -- Of a table one at a time is rebuilt concurrently: such a command locks out another of its kind.
        items[#items + 1] = {item = index.toast or index.name, statement = command .. index.name, size = index.size,
            key = concurrently and index.table or nil}
    end
    return run(order.largest_first(items), options)
end
