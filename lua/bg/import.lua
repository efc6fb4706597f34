-- bg.import: a function or procedure of SQL as a Lua function.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local spi -- at the first import: tests without a server have none

-- Names carry their schema, as in chunks.lua. Whether the current user may execute the function is
-- asked once here, and by the server at each call.

local COLUMNS = [[
select p.oid, p.prokind::pg_catalog.text as kind, p.proretset as is_set, p.pronargdefaults as defaults,
    pg_catalog.quote_ident(n.nspname) operator(pg_catalog.||) '.'
        operator(pg_catalog.||) pg_catalog.quote_ident(p.proname) as name,
    n.nspname as schema, p.oid::pg_catalog.regprocedure::pg_catalog.text as signature,
    pg_catalog.has_schema_privilege(n.oid, 'usage') as may_look,
    pg_catalog.has_function_privilege(p.oid, 'execute') as may_execute,
    t.oid operator(pg_catalog.=) 2278 as is_void, t.oid operator(pg_catalog.=) 2249 as is_record,
    coalesce(base.typtype, t.typtype) operator(pg_catalog.=) 'c' as is_composite
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace
    join pg_catalog.pg_type t on t.oid operator(pg_catalog.=) p.prorettype
    left join pg_catalog.pg_type base on base.oid operator(pg_catalog.=) t.typbasetype
]]
local BY_SIGNATURE = COLUMNS .. 'where p.oid operator(pg_catalog.=) $1::pg_catalog.regprocedure'
local BY_NAME = COLUMNS .. [[
where p.proname operator(pg_catalog.=) $2
    and case when $1::pg_catalog.text is null then pg_catalog.pg_function_is_visible(p.oid)
        else n.nspname operator(pg_catalog.=) $1 end
order by p.oid::pg_catalog.regprocedure::pg_catalog.text collate pg_catalog."C"]]

local ARGUMENTS = [[
select coalesce(a.mode::pg_catalog.text, 'i') as mode, coalesce(a.name, '') as name,
    pg_catalog.quote_ident(n.nspname) operator(pg_catalog.||) '.'
        operator(pg_catalog.||) pg_catalog.quote_ident(t.typname) as type,
    pg_catalog.quote_ident(en.nspname) operator(pg_catalog.||) '.'
        operator(pg_catalog.||) pg_catalog.quote_ident(e.typname) as element,
    t.typtype operator(pg_catalog.=) 'p' and t.oid operator(pg_catalog.<>) 2275 as is_any
from pg_catalog.pg_proc p, rows from (
        pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[])),
        pg_catalog.unnest(p.proargmodes), pg_catalog.unnest(p.proargnames)
    ) with ordinality a (type, mode, name, place)
    join pg_catalog.pg_type t on t.oid operator(pg_catalog.=) a.type
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) t.typnamespace
    left join pg_catalog.pg_type e on e.oid operator(pg_catalog.=) t.typelem
    left join pg_catalog.pg_namespace en on en.oid operator(pg_catalog.=) e.typnamespace
where p.oid operator(pg_catalog.=) $1 and coalesce(a.mode::pg_catalog.text, 'i') operator(pg_catalog.<>) 't'
order by a.place]]

-- The server takes no more in one call.
local MOST = 100
local MOST_HINTS = 10

local function raise_ambiguous(name, found)
    local signatures = {}
    for i = 1, math.min(found.n, MOST_HINTS) do signatures[i] = found[i].signature end
    if found.n > MOST_HINTS then signatures[MOST_HINTS + 1] = '...' end
    core.raise('42725', string.format('function name "%s" is not unique', name),
        'Name the types of its arguments, too: ' .. table.concat(signatures, ', ') .. '.')
end

-- The row of pg_proc that a name, or a name with types, stands for.
local function find(name)
    if name:gsub('"[^"]*"', ''):find('(', 1, true) then return spi.execute(BY_SIGNATURE, name)[1] end
    local parts = spi.execute('select pg_catalog.parse_ident($1)', name).value
    if #parts > 2 then argcheck.fail(string.format('"%s" is no name of a function: it has too many parts', name)) end
    local schema = #parts == 2 and parts[1] or nil
    local found = spi.execute(BY_NAME, schema, parts[#parts])
    if found.n == 0 then
        core.raise('42883', string.format('function "%s" does not exist', name),
            not schema and 'It may need its schema before its name.' or nil)
    end
    if found.n > 1 then raise_ambiguous(name, found) end
    return found[1]
end

local KINDS = {a = 'an aggregate function', w = 'a window function'}

local function check(proc)
    if not proc.may_look then
        core.raise('42501', string.format('permission denied for schema %s', proc.schema))
    end
    if not proc.may_execute then
        core.raise('42501', string.format('permission denied for %s %s',
            proc.kind == 'p' and 'procedure' or 'function', proc.signature))
    end
    if KINDS[proc.kind] then
        core.raise('42809', string.format('%s is %s', proc.signature, KINDS[proc.kind]),
            'Use it in a command of spi.execute.')
    end
end

-- What is known of the function: its inputs, and, of a procedure, where outputs stand among them.
local function describe(proc)
    local fn = {proc = proc, arguments = {}, inputs = {}, by_name = {}, outputs = 0}
    for _, row in ipairs(spi.execute(ARGUMENTS, proc.oid)) do
        local argument = {mode = row.mode, name = row.name, type = row.type, element = row.element, any = row.is_any}
        if row.mode == 'o' or row.mode == 'b' then fn.outputs = fn.outputs + 1 end
        if row.mode ~= 'o' then
            fn.inputs[#fn.inputs + 1] = argument
            argument.place = #fn.inputs
            if row.name ~= '' then fn.by_name[row.name] = argument end
        end
        if row.mode ~= 'o' or proc.kind == 'p' then fn.arguments[#fn.arguments + 1] = argument end
    end
    local last = fn.inputs[#fn.inputs]
    fn.variadic = last and last.mode == 'v' and last or nil
    fn.needed = #fn.inputs - proc.defaults
    return fn
end

-- A statement that is being written: its parts and which values it takes, by order.
local Call = {}
Call.__index = Call

-- Where a function takes any type the value decides: SQL would not know what it is.
local OWN_TYPES = {integer = 'int8', float = 'float8', string = 'text', boolean = 'bool'}

local function parameter(call, wanted, any, value)
    call.values = call.values + 1
    if not any then return '$' .. call.values .. '::' .. wanted end
    call.any = true
    local own = OWN_TYPES[math.type(value) or type(value)]
    return '$' .. call.values .. (own and '::pg_catalog.' .. own or '')
end

function Call:add(argument, text) -- internal
    local name = self.named and spi.quote_ident(argument.name) .. ' => ' or ''
    self[#self + 1] = (argument.mode == 'v' and self.named and 'variadic ' or '') .. name .. text
end

-- An output of a procedure has to be there, whatever it is.
function Call:add_null(argument) -- internal
    self:add(argument, 'null' .. (argument.any and '' or '::' .. argument.type))
end

-- The elements of the variadic argument, each a value.
local function spread(call, fn, values)
    local argument = fn.variadic
    for i = argument.place, values.n do
        call[#call + 1] = parameter(call, argument.element, argument.any, values[i])
    end
    if values.n < argument.place and argument.element and fn.proc.defaults == 0 then
        call[#call + 1] = "variadic '{}'::" .. argument.type
    end
end

-- By place; what follows the last argument are elements of the variadic one.
local function call_by_place(fn, values)
    local call = setmetatable({values = 0, named = false}, Call)
    for _, argument in ipairs(fn.arguments) do
        if argument.mode == 'o' then
            call:add_null(argument)
        elseif argument == fn.variadic then
            spread(call, fn, values)
        elseif argument.place <= values.n then
            call:add(argument, parameter(call, argument.type, argument.any, values[argument.place]))
        else
            call.named = true -- what follows one that was left out
        end
    end
    return call
end

-- What is not given has its default, or else is NULL.
local function call_by_name(fn, given)
    local call = setmetatable({values = 0, named = true, names = {}}, Call)
    for _, argument in ipairs(fn.arguments) do
        local value
        if argument.mode ~= 'o' then value = given[argument.name] end
        if value ~= nil then
            call.names[#call.names + 1] = argument.name
            call:add(argument, parameter(call, argument.type, argument.any, value))
        elseif argument.mode == 'o' or argument.place <= fn.needed then
            call:add_null(argument)
        end
    end
    return call
end

-- Prepared once; where the types of values decide, each time what they are.
local function finish(fn, call)
    local proc = fn.proc
    local text = proc.name .. '(' .. table.concat(call, ', ') .. ')'
    local as_table = proc.is_record and fn.outputs > 0 or proc.is_set and not (proc.is_record and fn.outputs == 0)
    local sql = (proc.kind == 'p' and 'call ' or as_table and 'select * from ' or 'select ') .. text
    local statement = not call.any and spi.prepare(sql)
    return {
        execute = statement and function(...) return statement:execute(...) end
            or function(...) return spi.execute(sql, ...) end,
        rows = statement and function(...) return statement:rows(...) end
            or function(...) return spi.rows(sql, ...) end,
    }
end

local function values_of(proc, next_row, state, control, closer)
    return function()
        control = next_row(state, control)
        if control == nil then return nil end
        local value = control[1]
        if value == nil then
            core.raise('22004', string.format('function %s has returned NULL as an element of a set', proc.signature),
                'A loop would end there; use spi.rows.')
        end
        return value
    end, nil, nil, closer
end

-- Runs a statement; what the Lua function returns.
local function run(fn, statement, ...)
    local proc = fn.proc
    if proc.is_set then
        if proc.is_composite or proc.is_record and fn.outputs > 0 then return statement.rows(...) end
        return values_of(proc, statement.rows(...))
    end
    local result = statement.execute(...)
    if proc.kind ~= 'p' and result.n ~= 1 then
        core.raise('55000', string.format('function %s returns a set since it was imported', proc.signature),
            'Import it again.')
    end
    if proc.kind == 'p' then
        if fn.outputs > 0 then return result[1] end
    elseif proc.is_record and fn.outputs > 0 then
        return result[1]
    elseif not proc.is_void then
        return result[1][1]
    end
end

local function check_count(fn, n)
    local least, most = fn.needed, #fn.inputs
    if fn.variadic then least, most = math.min(least, most - 1), MOST end
    if n >= least and n <= most then return end
    local wanted = least == most and tostring(most) or n < least and 'at least ' .. least or 'at most ' .. most
    core.raise('42883', string.format('%s takes %s argument%s, not %d', fn.proc.signature, wanted,
        (n < least and least or most) == 1 and '' or 's', n))
end

local function check_names(fn, given)
    if type(given) ~= 'table' then
        argcheck.mismatch(fn.proc.signature .. ' takes its arguments by name from a table', given)
    end
    for name in next, given do
        if not fn.by_name[name] then
            local names = {}
            for i, argument in ipairs(fn.inputs) do names[i] = argument.name end
            core.raise('42883', string.format('%s has no argument %s', fn.proc.signature, argcheck.describe(name)),
                'Its arguments are: ' .. table.concat(names, ', ') .. '.')
        end
    end
end

local function by_place(fn)
    local statements = {}
    return function(...)
        local n = select('#', ...)
        local statement = statements[n]
        if not statement then
            check_count(fn, n)
            local call = call_by_place(fn, table.pack(...))
            statement = finish(fn, call)
            if not call.any then statements[n] = statement end
        end
        return run(fn, statement, ...)
    end
end

local function by_name(fn)
    for i, argument in ipairs(fn.inputs) do
        if argument.name == '' then
            core.raise('42883', string.format('argument %d of %s has no name', i, fn.proc.signature))
        end
    end
    local statements = {}
    return function(given)
        check_names(fn, given)
        local call = call_by_name(fn, given)
        local key = table.concat(call.names, '\0')
        local statement = statements[key]
        if not statement then
            statement = finish(fn, call)
            if not call.any then statements[key] = statement end
        end
        local values = {}
        for i, name in ipairs(call.names) do values[i] = given[name] end
        return run(fn, statement, table.unpack(values, 1, #call.names))
    end
end

local function import(name, options)
    spi = spi or require 'pllua.spi'
    local proc = find(argcheck.text(name, 'the name of a function'))
    check(proc)
    if options ~= nil and type(options) ~= 'table' then argcheck.mismatch('the options must be a table', options) end
    for key in next, options or {} do
        if key ~= 'named' then argcheck.fail('unknown option ' .. argcheck.describe(key), 'There is: named.') end
    end
    local fn = describe(proc)
    return options and options.named and by_name(fn) or by_place(fn)
end

return import
