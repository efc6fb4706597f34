-- How far standbys are behind: the age of the oldest place in the log that was there at some time, and that one of
-- them has not replayed yet. The server's own figure stays as it was while a standby replays nothing.

local fifo = require 'bg.fifo'

local Lag = {}
Lag.__index = Lag

local lag = {}

function lag.new() -- internal
    return setmetatable({marks = fifo(), newest = -1}, Lag)
end

-- The lag in seconds: now the log ends `here`, and all standbys have replayed it up to `there` (nil: there are none).
function Lag:after(here, there, now) -- internal
    if not there then
        self.marks, self.oldest = fifo(), nil
        return 0
    end
    if here > self.newest then
        self.newest = here
        self.marks:push({place = here, time = now})
    end
    self.oldest = self.oldest or self.marks:pop()
    while self.oldest and self.oldest.place <= there do self.oldest = self.marks:pop() end
    return self.oldest and now - self.oldest.time or 0
end

return lag
