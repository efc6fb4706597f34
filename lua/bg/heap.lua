-- Requests of tasks in the order of a number, the smallest first; of the same number, the oldest. A request that is
-- over (request.over) stays where it is until it comes to the top, or half of them are.

local Heap = {}
Heap.__index = Heap

local function is_before(a, b)
    return a.key < b.key or a.key == b.key and a.serial < b.serial
end

-- Moves an entry up from a hole in the list.
local function rise(list, hole, entry)
    while hole > 1 do
        local parent = hole // 2
        if not is_before(entry, list[parent]) then break end
        list[hole] = list[parent]
        hole = parent
    end
    list[hole] = entry
end

-- Moves an entry down from a hole at the top of the list, which has n entries.
local function sink(list, n, entry)
    local hole = 1
    while true do
        local child = 2 * hole
        if child > n then break end
        if child < n and is_before(list[child + 1], list[child]) then child = child + 1 end
        if not is_before(list[child], entry) then break end
        list[hole] = list[child]
        hole = child
    end
    list[hole] = entry
end

-- `place`: what is to be kept with it.
function Heap:push(key, request, place) -- internal
    self.serial = self.serial + 1
    local list = self.list
    rise(list, #list + 1, {key = key, serial = self.serial, request = request, place = place})
end

-- The first entry {key=, request=, place=} that is not over; nil when there is none.
function Heap:top() -- internal
    local list = self.list
    while list[1] and list[1].request.over do
        local last = table.remove(list)
        self.over = self.over - 1
        if #list > 0 then sink(list, #list, last) end
    end
    return list[1]
end

-- To be called when one of the requests is over.
function Heap:lose() -- internal
    self.over = self.over + 1
    if self.over <= 16 or 2 * self.over <= #self.list then return end
    local left = {}
    for _, entry in ipairs(self.list) do
        if not entry.request.over then left[#left + 1] = entry end
    end
    table.sort(left, is_before)
    self.list, self.over = left, 0
end

return function() -- internal
    return setmetatable({list = {}, serial = 0, over = 0}, Heap)
end
