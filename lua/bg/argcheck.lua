-- Checks of arguments, each with a message that says what was expected. Every failure is 22023,
-- raised at once.

local core = require 'bg.core'

local check = {}

-- How a value is named in a message.
local function describe(value)
    if type(value) == 'string' then
        if #value > 40 then value = value:sub(1, 37):gsub('[\xc0-\xff][\x80-\xbf]*$', '') .. '...' end
        return string.format('%q', value)
    end
    if type(value) == 'number' or value == nil then return tostring(value) end
    return 'a ' .. type(value)
end

check.describe = describe

function check.fail(message, hint) -- internal
    core.raise('22023', message, hint)
end

-- A time in seconds; nil means no limit. `what` names it in the message.
function check.timeout(value, what) -- internal
    if value == nil then return nil end
    if type(value) ~= 'number' or value ~= value or value < 0 then
        check.fail(what .. ' must be a number of seconds, not ' .. describe(value))
    end
    if value >= 1e9 then return nil end
    return value
end

-- A whole number from `least` on.
function check.count(value, what, least) -- internal
    local number = math.type(value) and math.tointeger(value)
    if not number or number < least then
        check.fail(string.format('%s must be a whole number of at least %d, not %s',
            what, least, check.describe(value)))
    end
    return number
end

function check.positive(value, what) -- internal
    return check.count(value, what, 1)
end

function check.text(value, what) -- internal
    if type(value) ~= 'string' then
        check.fail(what .. ' must be a string, not ' .. describe(value))
    end
    return value
end

function check.callback(value, what) -- internal
    local metatable = type(value) ~= 'function' and debug.getmetatable(value)
    if type(value) ~= 'function' and not (metatable and metatable.__call) then
        check.fail(what .. ' must be a function, not ' .. describe(value))
    end
    return value
end

function check.boolean(value, what) -- internal
    if type(value) ~= 'boolean' then
        check.fail(what .. ' must be true or false, not ' .. describe(value))
    end
    return value
end

function check.one_of(value, allowed, what) -- internal
    for _, word in ipairs(allowed) do
        if value == word then return value end
    end
    local words = table.concat(allowed, "' or '")
    check.fail(string.format("%s must be '%s', not %s", what, words, describe(value)))
end

-- Checks a table of options against `known` (name -> checker(value, what)) and returns the checked
-- values by name.
function check.options(options, known, caller) -- internal
    if options == nil then return {} end
    if type(options) ~= 'table' then
        check.fail(caller .. ' takes a table of options, not ' .. describe(options))
    end
    local checked = {}
    for name, value in pairs(options) do
        local checker = known[name]
        if not checker then
            local names = {}
            for known_name in pairs(known) do names[#names + 1] = known_name end
            table.sort(names)
            check.fail(string.format('%s has no option %s', caller, describe(name)),
                'Options are ' .. table.concat(names, ', ') .. '.')
        end
        checked[name] = checker(value, 'option ' .. name)
    end
    return checked
end

return check
