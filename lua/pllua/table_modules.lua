-- Modules in a table (pllua_bg.modules). Called with the globals of user code and its
-- package.loaded; src/pl/table_modules.cpp calls what it returns.
local globals, loaded = ...
local spi = require 'pllua.spi'

local statements = {} -- by the name of the table
local sources = {}    -- of the modules that are loaded, by name
local loading = {}    -- those whose code runs now

-- A table without its schema could be anybody's.
local function statement_for(place)
    local parts = spi.execute('select pg_catalog.parse_ident($1)', place).value
    if #parts ~= 2 then
        spi.error('22023', ('pllua_bg.modules is "%s", not a table with its schema'):format(place))
    end
    return ('select source::pg_catalog.text from %s.%s where name operator(pg_catalog.=) $1'):format(
        spi.quote_ident(parts[1]), spi.quote_ident(parts[2]))
end

local function read(name, place)
    local statement = statements[place] or statement_for(place)
    statements[place] = statement
    local rows = spi.execute(statement, name)
    if rows.n > 1 then
        spi.error('21000', ('table %s has %d modules "%s"'):format(place, rows.n, name))
    end
    return rows.n == 1 and rows[1].source or nil
end

local function run(name, source, chunk, place)
    if loading[name] then
        spi.error('42P19', ('module "%s" requires itself, by way of others or not'):format(name))
    end
    loading[name] = true
    local _ <close> = setmetatable({}, {__close = function() loading[name] = nil end})
    local value = chunk(name, place)
    sources[name] = source
    return value
end

local modules = {}

-- What a searcher of package.searchers returns.
function modules.find(name, place) -- internal
    local source = read(name, place)
    if not source then return ("no module '%s' in table %s"):format(name, place) end
    local chunk, message = load(source, '=' .. name, 't', globals)
    if not chunk then spi.error('42601', message, ('Of the module in table %s.'):format(place)) end
    return function() return run(name, source, chunk, place) end, place
end

-- Forgets a module whose source is another one by now, or that the current user may not see any more.
function modules.refresh(name, place) -- internal
    if sources[name] and (not place or read(name, place) ~= sources[name]) then
        sources[name], loaded[name] = nil, nil
    end
end

return modules
