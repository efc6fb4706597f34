-- The item with the smallest rank, a number, is first. What comes in order, as jobs mostly do, stands in a row; only
-- the rest is a heap. Ranks have arrays of their own, so that looking for the place of one item touches no other.

local Heap = {}
Heap.__index = Heap

local heap = {}

function heap.new() -- internal
    return setmetatable({items = {}, ranks = {}, n = 0, row = {}, row_ranks = {}, head = 1, tail = 0}, Heap)
end

function Heap:push(item, rank) -- internal
    local tail = self.tail
    if tail < self.head or rank >= self.row_ranks[tail] then
        self.tail = tail + 1
        self.row[tail + 1], self.row_ranks[tail + 1] = item, rank
        return
    end
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

-- True when the first item is in the row.
local function is_in_row(self)
    if self.head > self.tail then return false end
    return self.n == 0 or self.row_ranks[self.head] <= self.ranks[1]
end

local function pop_row(self)
    local head = self.head
    local first = self.row[head]
    self.row[head], self.row_ranks[head] = nil, nil
    if head == self.tail then
        self.head, self.tail = 1, 0
    else
        self.head = head + 1
    end
    return first
end

-- The first, which stays; nil when it is empty.
function Heap:peek() -- internal
    if is_in_row(self) then return self.row[self.head] end
    return self.items[1]
end

-- Takes the first; nil when it is empty.
function Heap:pop() -- internal
    if is_in_row(self) then return pop_row(self) end
    local items, ranks, n = self.items, self.ranks, self.n
    if n == 0 then return nil end
    local first, item, rank = items[1], items[n], ranks[n]
    items[n], ranks[n] = nil, nil
    self.n = n - 1
    if n > 1 then sink(self, item, rank) end
    return first
end

function Heap:size() -- internal
    return self.n + self.tail - self.head + 1
end

-- Adds all items to a list, in any order.
function Heap:add_to(list) -- internal
    table.move(self.items, 1, self.n, #list + 1, list)
    return table.move(self.row, self.head, self.tail, #list + 1, list)
end

return heap
