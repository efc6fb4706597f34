-- What the LISTENs of sessions bring: handed to the handlers given to bg.launch, where Lua code
-- waits.

local core = require 'bg.core'

local notify = {}

-- The handlers by session, and how many notifications had come when all were last handed out; nil
-- while nobody has a handler.
local handlers = {}
local seen

-- Set while a handler runs: what comes meanwhile waits until it has returned.
local busy = false
local at_end = setmetatable({}, {__close = function() busy = false end})

-- For waits: they end early when another number has come. nil: they need not.
function notify.seen() -- internal
    return not busy and seen or nil
end

function notify.has_handler(session) -- internal
    return handlers[session] ~= nil
end

local function listening()
    local list = {}
    for session in pairs(handlers) do
        if core.is_alive(session) then list[#list + 1] = session else handlers[session] = nil end
    end
    table.sort(list, function(a, b) return core.number(a) < core.number(b) end)
    return list
end

-- Calls the handlers. What one that raises leaves behind is handed out next time.
function notify.deliver() -- internal
    local arrived = core.arrived()
    if arrived == seen or busy then return end
    busy = true
    local _ <close> = at_end
    for _, session in ipairs(listening()) do
        local handler = handlers[session]
        local channel, payload, pid = core.notification(session)
        while channel do
            handler(channel, payload, pid)
            channel, payload, pid = core.notification(session)
        end
    end
    seen = arrived
end

function notify.listen(session, handler) -- internal
    if not seen then
        seen = core.arrived()
        core.deliver_with(notify.deliver)
    end
    listening() -- forgets those that have ended
    core.listen(session)
    handlers[session] = handler
end

return notify
