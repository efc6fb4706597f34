-- A heap: what comes first by less(a, b) can be taken first.

local Heap = {}
Heap.__index = Heap

local heap = {}

function heap.new(less) -- internal
    return setmetatable({less = less, n = 0}, Heap)
end

function Heap:push(item) -- internal
    local less, place = self.less, self.n + 1
    self.n = place
    while place > 1 do
        local above = place // 2
        if not less(item, self[above]) then break end
        self[place] = self[above]
        place = above
    end
    self[place] = item
end

-- The first; nil when it is empty.
function Heap:pop() -- internal
    local first, n = self[1], self.n
    if n == 0 then return nil end
    local less, item = self.less, self[n]
    self[n] = nil
    n = n - 1
    self.n = n
    if n == 0 then return first end
    local place = 1
    while true do
        local below = 2 * place
        if below > n then break end
        if below < n and less(self[below + 1], self[below]) then below = below + 1 end
        if not less(self[below], item) then break end
        self[place] = self[below]
        place = below
    end
    self[place] = item
    return first
end

return heap
