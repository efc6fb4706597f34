-- Waiting for time: timers that can be waited for together with futures, and an interruptible
-- sleep.

local argcheck = require 'bg.argcheck'
local wait = require 'bg.wait'

local Timer = {}
Timer.__index = Timer
Timer.__name = 'bg.timer'

local timer = {}

local function seconds(value, what)
    if not argcheck.is_duration(value) then argcheck.mismatch(what .. ' takes a number of seconds', value) end
    return value
end

-- A waitable that settles after that many seconds; its value is true.
function timer.new(after) -- internal
    return setmetatable({deadline = wait.now() + seconds(after, 'bg.timer')}, Timer)
end

function timer.sleep(duration)
    wait.first({timer.new(seconds(duration, 'bg.sleep'))})
end

function Timer:pending()
    if not self.cancelled and wait.now() < self.deadline then return nil, nil, self.deadline end
end

function Timer:done()
    argcheck.self(self, Timer, 'done')
    local _, _, deadline = self:pending()
    return deadline == nil
end

Timer.wait = wait.method

function Timer:try(timeout)
    argcheck.self(self, Timer, 'get')
    if not self:wait(timeout) then return nil, 'timeout' end
    if self.cancelled then return nil, 'cancelled' end
    return true
end

Timer.get = Timer.try

function Timer:cancel()
    argcheck.self(self, Timer, 'cancel')
    local was_pending = not self:done()
    self.cancelled = true
    return was_pending
end

return timer
