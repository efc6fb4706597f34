-- What the owners of jobs are called. A database that was restored in another cluster finds them by the names in the
-- rows, so these follow when a role is renamed. `self` is the scheduler; self.names: the name of each owner as last
-- read; self.renamed: owners of whom some rows have another one.

local names = {}

-- A row with that owner and that name was read.
function names.note(self, owner, name) -- internal
    local known = self.names[owner]
    if not known then
        self.names[owner] = name
    elseif known ~= name then
        self.renamed[owner] = true
    end
end

-- Looks whether one of the owners is called otherwise now. To be called now and then.
function names.review(self) -- internal
    if not next(self.names) then return end
    for owner, name in pairs(self.store.new_names(self.names)) do
        self.names[owner], self.renamed[owner] = name, true
    end
    for owner in pairs(self.renamed) do self.store.write_name(owner) end
    self.renamed = {}
end

return names
