-- bg.create_indexes: a list of CREATE INDEX, several at once.

local arguments = require 'dba.arguments'
local catalog = require 'dba.catalog'
local index_statement = require 'dba.index_statement'
local order = require 'dba.order'
local run = require 'dba.run'

-- Where an index of a table is built concurrently, one at a time is built: such a command locks out others.
local function set_keys(items)
    local alone = {}
    for _, item in ipairs(items) do
        if item.found.concurrently then alone[item.table] = true end
    end
    for _, item in ipairs(items) do
        if alone[item.table] then item.key = item.table end
    end
end

return function(given) -- internal
    local caller = 'bg.create_indexes'
    local options = arguments.common(given, caller)
    local texts = arguments.list(given.statements, 'the list of statements')
    local items, tables = {}, {}
    for i, text in ipairs(texts) do
        local found = index_statement(text)
        items[i] = {item = found.index or 'index on ' .. found.table, statement = text, found = found}
        tables[i] = found.table
    end
    arguments.begin(caller)
    for i, known in ipairs(catalog.tables(tables)) do
        items[i].table = known.oid or tables[i] -- of one that there is not the server says so
        items[i].size = known.size
    end
    set_keys(items)
    return run(order.largest_first(items), options)
end
