-- A queue out of whose middle one can be taken, too. Each step takes the same time, however long it is.

local Fifo = {}
Fifo.__index = Fifo

-- The place of the new last one, by which it can be removed. Not nil.
function Fifo:push(value) -- internal
    self.last = self.last + 1
    self[self.last] = value
    self.n = self.n + 1
    return self.last
end

local function drop(self, place)
    self[place] = nil
    self.n = self.n - 1
    while self.first <= self.last and self[self.first] == nil do self.first = self.first + 1 end
    if self.n == 0 then self.first, self.last = 1, 0 end
end

-- Takes that object out, if it is at that place still.
function Fifo:remove(place, object) -- internal
    if rawequal(self[place], object) then drop(self, place) end
end

-- The first one, which stays; nil when there is none.
function Fifo:peek() -- internal
    return self[self.first]
end

-- Takes the first one out; nil when there is none.
function Fifo:pop() -- internal
    local value = self[self.first]
    if value ~= nil then drop(self, self.first) end
    return value
end

return function() -- internal
    return setmetatable({first = 1, last = 0, n = 0}, Fifo)
end
