-- What bg.map and bg.each tell of how far they are: lines of INFO, at most one a second and one at the end; and
-- to other backends, as the progress of each of their sessions.

local core = require 'bg.core'
local wait = require 'bg.wait'

local progress = {}

local WIDTH = 20
local INTERVAL = 1 -- seconds between two lines

-- A time in seconds, for people: 8 s, 2:05 min, 3:07 h.
local function duration(seconds)
    seconds = math.floor(seconds + 0.5)
    if seconds < 60 then return seconds .. ' s' end
    if seconds < 3600 then return string.format('%d:%02d min', seconds // 60, seconds % 60) end
    return string.format('%d:%02d h', seconds // 3600, seconds % 3600 // 60)
end

-- How fast it goes, of at least one that is done.
local function rate(count, seconds)
    local each = count / math.max(seconds, 0.001)
    if each < 0.1 then return duration(seconds / count) .. ' each' end
    return string.format(each < 10 and '%.1f/s' or '%.0f/s', each)
end

-- One line: how many are done of so many (nil: not known) after that time in seconds.
function progress.line(title, done, total, seconds, ended) -- internal
    local parts = {total and string.format('%d of %d', done, total) or done .. ' done'}
    if done > 0 then parts[#parts + 1] = rate(done, seconds) end
    if ended or not total then
        parts[#parts + 1] = duration(seconds)
    elseif done > 0 then
        parts[#parts + 1] = duration(seconds * (total - done) / done) .. ' left'
    end
    local text = table.concat(parts, ', ')
    if not total then return string.format('%s: %s', title, text) end
    local full = total > 0 and done * WIDTH // total or WIDTH
    return string.format('%s: [%s%s] %s', title, ('#'):rep(full), ('.'):rep(WIDTH - full), text)
end

-- The sessions of a map, and what others see of it: shown.handles, those that may be there.
local Shown = {}
Shown.__index = Shown

function progress.shown(title, total) -- internal
    return setmetatable({title = title, total = total, done = 0, handles = {}}, Shown)
end

local function show(self, handle)
    return core.show_work(handle, self.done, self.total, self.title)
end

function Shown:add(handle) -- internal
    if show(self, handle) then self.handles[handle] = true end
end

function Shown:tell(done) -- internal
    self.done = done
    for handle in pairs(self.handles) do
        if not show(self, handle) then self.handles[handle] = nil end
    end
end

-- What is called with (done, total) after each item, and with (done, total, true) at the end. A
-- session tells it whoever asks for its status, too.
function progress.reporter(shown) -- internal
    local begun = wait.now()
    local told = begun
    return function(done, total, ended)
        core.report_progress(done, total)
        shown:tell(done)
        local now = wait.now()
        if not ended and (now - told < INTERVAL or done == total) then return end
        told = now
        print(progress.line(shown.title, done, total, now - begun, ended))
    end
end

return progress
