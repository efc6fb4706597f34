-- How much is kept of each owner, so that none takes the memory that others need.

local Shares = {}
Shares.__index = Shares

local shares = {}

-- limits.MOST_KNOWN: of one owner. weights: how much there is of each, crowded: owners of whom there was more than is
-- kept; that is in the table, and read again when half of what is kept has gone.
function shares.new(limits) -- internal
    return setmetatable({limits = limits, weights = {}, crowded = {}}, Shares)
end

function Shares:add(owner, change) -- internal
    local weight = (self.weights[owner] or 0) + change
    self.weights[owner] = weight > 0 and weight or nil
end

-- True when one more of the owner can be kept. Otherwise it is missed.
function Shares:has_room(owner) -- internal
    if (self.weights[owner] or 0) < self.limits.MOST_KNOWN then return true end
    self.crowded[owner] = true
    return false
end

-- True when there is room for what was not kept of some owner: all is to be read again.
function Shares:has_room_again() -- internal
    local has_room = false
    for owner in pairs(self.crowded) do
        if (self.weights[owner] or 0) <= self.limits.MOST_KNOWN // 2 then
            self.crowded[owner], has_room = nil, true
        end
    end
    return has_room
end

return shares
