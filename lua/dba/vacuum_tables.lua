-- bg.vacuum_tables and bg.analyze_tables: VACUUM or ANALYZE of the tables that match a pattern.

local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local catalog = require 'dba.catalog'
local order = require 'dba.order'
local run = require 'dba.run'

-- The options of the command, as they are written between its parentheses: words, each perhaps with a value.
local function command_options(text)
    if text == nil or text:match('^%s*$') then return '' end
    argcheck.text(text, 'options')
    local list = {}
    for part in (text .. ','):gmatch('([^,]*),') do
        local word = part:match('^%s*(%a[%w_]*%s*[%w_.]*%s?%a*)%s*$')
        if not word then
            argcheck.mismatch("options must be words with values, as in 'analyze, parallel 0'", text)
        end
        list[#list + 1] = word
    end
    return string.format('(%s) ', table.concat(list, ', '))
end

return function(given) -- internal
    local options = arguments.common(given, given.caller)
    local command = given.command .. ' ' .. command_options(given.options)
    arguments.begin(given.caller)
    local items = {}
    for _, found in ipairs(catalog.relations(given.pattern, {'r', 'm'}, 'table')) do
        local item = {item = found.name, statement = command .. found.name, size = found.size}
        -- The server skips it with a warning, which would count as done.
        if not found.may_maintain then
            item.refused = {sqlstate = '42501', message = 'permission denied for table ' .. found.name}
        end
        items[#items + 1] = item
    end
    return run(order.largest_first(items), options)
end
