-- The items of bg.map and bg.each, handed out one by one as slots: {index=, item=, attempts=}. A slot
-- that is given back is handed out again before the others.

local check = require 'bg.argcheck'

local Items = {}
Items.__index = Items

-- The next item by an iterator's function, or by place in a list; `more` is false at the end.
local function reader_of(source)
    if type(source) == 'table' and not (debug.getmetatable(source) or {}).__call then
        local n = math.type(source.n) == 'integer' and source.n or #source
        return function(index)
            if index <= n then return true, source[index] end
            return false
        end, n
    end
    return function()
        local item = source()
        return item ~= nil, item
    end
end

function Items:take() -- internal
    local slot = table.remove(self.returned)
    if slot or self.ended then return slot end
    local more, item = self.read(self.count + 1)
    if not more then
        self.ended = true
        return nil
    end
    self.count = self.count + 1
    return {index = self.count, item = item, attempts = 0}
end

function Items:give_back(slot) -- internal
    self.returned[#self.returned + 1] = slot
end

return function(source, caller) -- internal
    if type(source) ~= 'table' then
        local metatable = type(source) ~= 'function' and debug.getmetatable(source)
        if type(source) ~= 'function' and not (metatable and metatable.__call) then
            check.fail(caller .. ' takes a list or an iterator, not ' .. check.describe(source))
        end
    end
    local read, total = reader_of(source)
    return setmetatable({read = read, total = total, count = 0, returned = {}}, Items)
end
