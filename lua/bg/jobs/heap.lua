-- A heap: the item with the smallest rank, a number, can be taken first. Ranks have an array of their own, so that
-- looking for the place of one item touches no other.

local Heap = {}
Heap.__index = Heap

local heap = {}

function heap.new() -- internal
    return setmetatable({items = {}, ranks = {}, n = 0}, Heap)
end

function Heap:push(item, rank) -- internal
    local items, ranks, place = self.items, self.ranks, self.n + 1
    self.n = place
    while place > 1 do
        local above = place // 2
        local other = ranks[above]
        if rank >= other then break end
        items[place], ranks[place] = items[above], other
        place = above
    end
    items[place], ranks[place] = item, rank
end

-- Puts the item in the first place, where it may not belong, into its own.
local function sink(self, item, rank)
    local items, ranks, n, place = self.items, self.ranks, self.n, 1
    while true do
        local below = 2 * place
        if below > n then break end
        local other = ranks[below]
        if below < n and ranks[below + 1] < other then
            below = below + 1
            other = ranks[below]
        end
        if other >= rank then break end
        items[place], ranks[place] = items[below], other
        place = below
    end
    items[place], ranks[place] = item, rank
end

-- The first; nil when it is empty.
function Heap:pop() -- internal
    local items, ranks, n = self.items, self.ranks, self.n
    if n == 0 then return nil end
    local first, item, rank = items[1], items[n], ranks[n]
    items[n], ranks[n] = nil, nil
    self.n = n - 1
    if n > 1 then sink(self, item, rank) end
    return first
end

return heap
