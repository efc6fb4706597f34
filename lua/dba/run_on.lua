-- bg.run_on: a statement in several databases, in several schemas of this one, or on several servers.

local argcheck = require 'bg.argcheck'
local arguments = require 'dba.arguments'
local run = require 'dba.run'

-- A list of names, and which of them are schemas that the role may use, with the search path that begins with each.
local SCHEMAS = [[
select t.name, pg_catalog.quote_ident(t.name) operator(pg_catalog.||) ', '
        operator(pg_catalog.||) pg_catalog.current_setting('search_path') as path,
    n.oid is not null as known, pg_catalog.has_schema_privilege(n.oid, 'USAGE') as may
from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality as t (name, place)
    left join pg_catalog.pg_namespace n on n.nspname operator(pg_catalog.=) t.name::pg_catalog.name
order by t.place]]

-- In a schema that there is not, or that may not be used, the search path would find the tables of another one.
local function in_schemas(names)
    local items = {}
    for i, row in ipairs(spi.execute(SCHEMAS, names)) do
        local item = {item = row.name, place = {settings = {search_path = row.path}}}
        if not row.known then
            item.refused = {sqlstate = '3F000', message = string.format('schema "%s" does not exist', row.name)}
        elseif not row.may then
            item.refused = {sqlstate = '42501', message = string.format('permission denied for schema %s', row.name)}
        end
        items[i] = item
    end
    return items
end

local function elsewhere(names, option)
    local items = {}
    for i, name in ipairs(names) do items[i] = {item = name, place = {[option] = name}} end
    return items
end

return function(given) -- internal
    local caller = 'bg.run_on'
    local options = arguments.common(given, caller)
    argcheck.text(given.statement, 'the statement')
    local lists = {}
    for _, name in ipairs{'databases', 'schemas', 'servers'} do
        if given[name] ~= nil then lists[#lists + 1] = name end
    end
    if #lists ~= 1 then
        argcheck.fail('bg.run_on takes databases, schemas or servers, one of these',
            "As in call bg.run_on('analyze', databases => array['a', 'b']).")
    end
    local kind = lists[1]
    local names = arguments.list(given[kind], kind)
    arguments.begin(caller)
    local items = kind == 'schemas' and in_schemas(names) or elsewhere(names, kind:sub(1, -2))
    for _, item in ipairs(items) do
        item.statement = given.statement
        item.plan = string.format('%s %s: %s', kind:sub(1, -2), item.item, given.statement)
    end
    spi.commit()
    return run(items, options)
end
