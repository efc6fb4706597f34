-- bg.run_all: the statements that a query returns, several at once.

local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local run = require 'dba.run'

-- The texts of a row from left to right are done one after the other.
local function add_row(items, columns, row, number)
    local several = #columns > 1
    for i = 1, #columns do
        local value = row[i]
        local text = value ~= nil and tostring(value) or ''
        if text ~= '' then
            local name = several and string.format('%d.%d', number, i) or tostring(number)
            items[#items + 1] = {item = name, statement = text, key = several and number or nil}
        end
    end
end

return function(given) -- internal
    local caller = 'bg.run_all'
    local options = arguments.common(given, caller)
    argcheck.text(given.query, 'the query')
    arguments.begin(caller)
    local result = spi.execute(given.query)
    if type(result) == 'number' or not result.columns or #result.columns == 0 then
        argcheck.fail('the query of bg.run_all returns no statements',
            "It is one that returns texts: select format('vacuum %s', oid::regclass) from pg_class where ...")
    end
    local items = {}
    for i = 1, result.n do add_row(items, result.columns, result[i], i) end
    spi.commit() -- its snapshot goes
    return run(items, options)
end
