-- The items of bg.map and bg.each, handed out one by one as slots: {index=, item=, attempts=}. A slot
-- that is given back is handed out again before the others.

local argcheck = require 'bg.argcheck'

local WorkQueue = {}
WorkQueue.__index = WorkQueue

-- The next item by an iterator's function, or by place in a list; `more` is false at the end. And how
-- many there are, when that is known.
local function reader_of(source)
    if type(source) == 'table' and not argcheck.is_callable(source) then
        local n = math.type(source.n) == 'integer' and source.n or #source
        return function(index)
            if index <= n then return true, source[index] end
            return false
        end, n
    end
    local n = type(source) == 'table' and math.tointeger(rawget(source, 'n')) or nil
    return function()
        local item = source()
        return item ~= nil, item
    end, n
end

function WorkQueue:take() -- internal
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

function WorkQueue:give_back(slot) -- internal
    self.returned[#self.returned + 1] = slot
end

-- The items in queues of their own, by what name_of(slot) says of each: a list of {name=, queue=}. All items are read.
function WorkQueue:split(name_of) -- internal
    local parts, by_name = {}, {}
    for slot in self.take, self do
        local name = name_of(slot)
        local part = by_name[name]
        if not part then
            part = {name = name, slots = {}}
            by_name[name], parts[#parts + 1] = part, part
        end
        table.insert(part.slots, slot)
    end
    for _, part in ipairs(parts) do
        local queue = setmetatable({total = #part.slots, ended = true, returned = {}}, WorkQueue)
        for i = #part.slots, 1, -1 do queue:give_back(part.slots[i]) end
        part.queue, part.slots = queue, nil
    end
    return parts
end

return function(source, caller) -- internal
    if type(source) ~= 'table' and not argcheck.is_callable(source) then
        argcheck.mismatch(caller .. ' takes a list or an iterator', source)
    end
    local read, total = reader_of(source)
    return setmetatable({read = read, total = total, count = 0, returned = {}}, WorkQueue)
end
