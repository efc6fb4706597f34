-- Launches that wait for a worker slot. A task lets the others run meanwhile, which may have sessions to end. Tasks
-- that wait stand in a line: the first of them asks the server, a moment at a time.

local core = require 'bg.core'
local fifo = require 'bg.fifo'
local scheduler = require 'bg.scheduler'
local wait = require 'bg.wait'

local MOMENT = 0.01 -- seconds

local launch_line = {}
local line = fifo()

local turn_metatable = {
    __close = function(turn)
        line:remove(turn.place, turn)
        local first = line:peek()
        if first and first.state == 'pending' then scheduler.settle(first, 'first') end
    end,
}

-- core.launch for a task that may be suspended, which has `limit` seconds.
local function launch_in_line(how, limit)
    local began = wait.now()
    local turn <close> = setmetatable({state = 'pending'}, turn_metatable)
    turn.place = line:push(turn)
    if line:peek() ~= turn then wait.any({}, {}, 0, limit, {turn}) end
    while true do
        how.waited = wait.now() - began
        local left = math.max(0, limit - how.waited)
        how.asks_again, how.wait = left > 0, math.min(left, MOMENT)
        local session = core.launch(how)
        if session then return session end
        wait.any({}, {}, 0, MOMENT)
    end
end

-- core.launch with the same options.
function launch_line.launch(how) -- internal
    local limit = how.asks_again and 0 or how.wait or core.launch_wait()
    if limit == 0 or not scheduler.current() or not core.may_yield() then return core.launch(how) end
    return launch_in_line(how, limit)
end

return launch_line
