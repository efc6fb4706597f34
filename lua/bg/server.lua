-- Where a session on another server is: the name of a foreign server, or a connection string of libpq, also as a table
-- of its options.

local argcheck = require 'bg.argcheck'

local server = {}

local function option_text(name, value)
    local kind = type(value)
    if kind == 'boolean' then return value and '1' or '0' end
    if kind == 'number' then return tostring(math.tointeger(value) or value) end
    if kind == 'string' then return value end
    argcheck.mismatch('connection option ' .. name .. ' must be a string, a number or a boolean', value)
end

local function connection_string(options)
    local parts = {}
    for name, value in pairs(options) do
        if type(name) ~= 'string' or not name:find('^[%a_]+$') then
            argcheck.mismatch('the names of connection options must be words', name)
        end
        parts[#parts + 1] = string.format("%s='%s'", name, option_text(name, value):gsub("['\\]", '\\%0'))
    end
    table.sort(parts)
    return table.concat(parts, ' ')
end

-- The same as a string.
function server.text(value, what) -- internal
    if type(value) == 'string' then return value end
    if type(value) ~= 'table' then argcheck.mismatch(what .. ' must be a string or a table of options', value) end
    if next(value) == nil then argcheck.fail(what .. ' is an empty table') end
    return connection_string(value)
end

-- A list of such strings.
function server.list(value, what) -- internal
    if type(value) ~= 'table' then argcheck.fail(what .. ' must be a list') end
    local list = {}
    for i, one in ipairs(value) do list[i] = server.text(one, 'each of ' .. what) end
    return list
end

-- As people see it: a connection string may have a password in it.
function server.shown(text) -- internal
    return text:find('[=:]') and '<connection string>' or text
end

return server
