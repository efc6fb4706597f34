-- The options of bg.launch: checks them and brings them into the form that core.launch takes.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local launch_line = require 'bg.launch_line'
local notify = require 'bg.notify'
local server = require 'bg.server'

local function duration(value, what)
    if not argcheck.is_duration(value) or value > 2147483 then
        argcheck.mismatch(what .. ' must be a number of seconds up to 2147483', value)
    end
    return value
end

local function size(value, what)
    if type(value) == 'string' then return value end -- with its unit; the server reads it
    if math.type(value) ~= 'integer' and not (type(value) == 'number' and value % 1 == 0) then
        argcheck.mismatch(what .. " must be a number of bytes or a string such as '1MB'", value)
    end
    return tostring(math.tointeger(value)) -- core.launch borrows the text from the options
end

local function setting_text(name, value)
    local kind = type(value)
    if kind == 'boolean' then return value and 'on' or 'off' end
    if kind == 'number' then return tostring(math.tointeger(value) or value) end
    if kind == 'string' then return value end
    argcheck.mismatch('setting ' .. name .. ' must be a string, a number or a boolean', value)
end

-- Settings are applied in the order of their names.
local function settings(value, what)
    if type(value) ~= 'table' then argcheck.mismatch(what .. ' must be a table of settings', value) end
    local names, values = {}, {}
    for name in pairs(value) do
        if type(name) ~= 'string' then argcheck.mismatch('the names of settings must be strings', name) end
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do values[i] = setting_text(name, value[name]) end
    return {names = names, values = values}
end

local known = {
    name = argcheck.text,
    settings = settings,
    queue_size = size,
    wait = duration,
    idle_timeout = duration,
    on_notice = argcheck.callback,
    on_notify = argcheck.callback,
    on_exit = function(value, what) return argcheck.one_of(value, {'finish', 'cancel'}, what) end,
    snapshot = function(value, what)
        if type(value) == 'boolean' or core.is_session(value) then return value end
        argcheck.mismatch(what .. ' must be true, false or a session', value)
    end,
    database = argcheck.text,
    server = server.text,
}

local launch = {
    options = known, -- what checks each, by its name
}

-- Starts a session; its handle. With asks_again nil where there is no room now, which is no failure then. That it is to
-- have another session's snapshot is the caller's to see to.
function launch.launch(options, asks_again)
    local checked = argcheck.options(options, known, 'bg.launch')
    local replayed = checked.settings or {}
    if checked.idle_timeout then
        checked.idle_timeout = math.ceil(checked.idle_timeout * 1000)
    end
    local session = launch_line.launch{
        name = checked.name,
        queue_size = checked.queue_size,
        wait = checked.wait,
        asks_again = asks_again,
        idle_timeout = checked.idle_timeout,
        cancel_on_exit = checked.on_exit == 'cancel',
        snapshot = checked.snapshot == true,
        database = checked.database,
        server = checked.server,
        names = replayed.names,
        values = replayed.values,
        on_notice = checked.on_notice,
    }
    if session and checked.on_notify then notify.listen(session, checked.on_notify) end
    return session
end

return launch
