-- Checks of arguments, each with a message that says what was expected. Every failure is 22023,
-- raised at once.

local core = require 'bg.core'

local argcheck = {}

-- The first bytes of a text, whole characters; 40 of them unless it is told.
function argcheck.clip(text, most) -- internal
    most = most or 40
    if #text <= most then return text end
    return text:sub(1, most - 3):gsub('[\xc0-\xff][\x80-\xbf]*$', '') .. '...'
end

-- How a value is named in a message.
local function describe(value)
    if type(value) == 'string' then return string.format('%q', argcheck.clip(value)) end
    if type(value) == 'number' or value == nil then return tostring(value) end
    return 'a ' .. type(value)
end

argcheck.describe = describe

function argcheck.fail(message, hint) -- internal
    core.raise('22023', message, hint)
end

-- Fails with what was expected and what came: "bg.sleep takes a number of seconds, not true".
function argcheck.mismatch(expected, value) -- internal
    core.raise('22023', expected .. ', not ' .. describe(value))
end

-- Fails when a method is not called on an object of its class.
function argcheck.self(object, class, name) -- internal
    if debug.getmetatable(object) == class then return end
    argcheck.fail(string.format("'%s' is called on %s, not on a %s", name, describe(object), class.__name),
        string.format('Methods are called with a colon: object:%s(...).', name))
end

function argcheck.is_callable(value) -- internal
    if type(value) == 'function' then return true end
    local metatable = debug.getmetatable(value)
    return metatable ~= nil and metatable.__call and true or false
end

function argcheck.is_duration(value) -- internal
    return type(value) == 'number' and value >= 0 -- NaN is not
end

-- A time in seconds; nil means no limit. `what` names it in the message.
function argcheck.timeout(value, what) -- internal
    if value == nil then return nil end
    if not argcheck.is_duration(value) then argcheck.mismatch(what .. ' must be a number of seconds', value) end
    if value >= 1e9 then return nil end
    return value
end

-- A whole number from `least` on.
function argcheck.count(value, what, least) -- internal
    local number = math.type(value) and math.tointeger(value)
    if not number or number < least then
        argcheck.mismatch(string.format('%s must be a whole number of at least %d', what, least), value)
    end
    return number
end

function argcheck.positive(value, what) -- internal
    return argcheck.count(value, what, 1)
end

function argcheck.text(value, what) -- internal
    if type(value) ~= 'string' then argcheck.mismatch(what .. ' must be a string', value) end
    return value
end

function argcheck.callback(value, what) -- internal
    if not argcheck.is_callable(value) then argcheck.mismatch(what .. ' must be a function', value) end
    return value
end

function argcheck.boolean(value, what) -- internal
    if type(value) ~= 'boolean' then argcheck.mismatch(what .. ' must be true or false', value) end
    return value
end

function argcheck.one_of(value, allowed, what) -- internal
    for _, word in ipairs(allowed) do
        if value == word then return value end
    end
    local words = table.concat(allowed, "' or '")
    argcheck.mismatch(string.format("%s must be '%s'", what, words), value)
end

-- Checks a table of options against `known` (name -> checker(value, what)) and returns the checked
-- values by name.
function argcheck.options(options, known, caller) -- internal
    if options == nil then return {} end
    if type(options) ~= 'table' then argcheck.mismatch(caller .. ' takes a table of options', options) end
    local checked = {}
    for name, value in pairs(options) do
        local checker = known[name]
        if not checker then
            local names = {}
            for known_name in pairs(known) do names[#names + 1] = known_name end
            table.sort(names)
            argcheck.fail(string.format('%s has no option %s', caller, describe(name)),
                'Options are ' .. table.concat(names, ', ') .. '.')
        end
        checked[name] = checker(value, 'option ' .. name)
    end
    return checked
end

return argcheck
