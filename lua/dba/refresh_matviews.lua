-- bg.refresh_matviews: the materialized views that match a pattern, each after those it is made of.

local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local catalog = require 'dba.catalog'
local order = require 'dba.order'
local run = require 'dba.run'

return function(given) -- internal
    local caller = 'bg.refresh_matviews'
    local options = arguments.common(given, caller)
    local concurrently = argcheck.boolean(given.concurrently, 'concurrently')
    arguments.begin(caller)
    local command = 'refresh materialized view ' .. (concurrently and 'concurrently ' or '')
    local items, by_oid, oids = {}, {}, {}
    for i, found in ipairs(catalog.relations(given.pattern, {'m'}, 'materialized view')) do
        items[i] = {item = found.name, statement = command .. found.name, size = found.size, after = {}}
        by_oid[found.oid], oids[i] = items[i], found.oid
    end
    for _, pair in ipairs(catalog.made_of(oids)) do
        table.insert(by_oid[pair.matview].after, by_oid[pair.used])
    end
    return run(order.largest_first(items), options)
end
