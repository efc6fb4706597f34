-- Which item comes next. Items are begun in their order, the largest first where sizes are known (`size`), except that
-- of those with the same `key` one runs at a time, and that an item waits for those in its list `after`.

local order = {}

-- Sorts a list of items: by size, those without one last; else as they are.
function order.largest_first(items) -- internal
    local place = {}
    for i, item in ipairs(items) do place[item] = i end
    table.sort(items, function(a, b)
        local x, y = a.size or -1, b.size or -1
        if x ~= y then return x > y end
        return place[a] < place[b]
    end)
    return items
end

local Order = {}
Order.__index = Order

function order.new(items) -- internal
    return setmetatable({items = items, first = 1, begun = {}, ended = {}, running = {}}, Order)
end

local function is_ready(self, item)
    if item.key ~= nil and self.running[item.key] then return false end
    for _, other in ipairs(item.after or {}) do
        if not self.ended[other] then return false end
    end
    return true
end

-- The next item that can run now; nil and true when there are some that cannot yet; nil and false when all have begun.
function Order:take() -- internal
    local items = self.items
    while items[self.first] and self.begun[items[self.first]] do self.first = self.first + 1 end
    for i = self.first, #items do
        local item = items[i]
        if not self.begun[item] and is_ready(self, item) then
            self.begun[item] = true
            if item.key ~= nil then self.running[item.key] = true end
            return item
        end
    end
    return nil, self.first <= #items
end

function Order:give(item) -- internal
    self.ended[item] = true
    if item.key ~= nil then self.running[item.key] = nil end
end

return order
