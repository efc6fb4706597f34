-- Which roles may run jobs now, and why others may not. `self` is the scheduler; self.roles has what is known of a
-- role: {checked = time, retry_at = time, delay = seconds, warned = the reason that was told}.

local core = require 'bg.core'
local learning = require 'bg.jobs.learning'

local roles = {}

local CHECK_AGAIN = 5
local FIRST_DELAY, LAST_DELAY = 1, 60

local function role_of(self, owner)
    local role = self.roles[owner]
    if not role then
        role = {delay = FIRST_DELAY}
        self.roles[owner] = role
    end
    return role
end

-- True when the role may run jobs, as the server says now; one that may not has its jobs left to the table.
function roles.check(self, owner, name) -- internal
    local role, reason = role_of(self, owner), self.store.hold(owner, name)
    role.checked, role.name = core.now(), name
    if reason then
        self.ready:hold(owner, reason)
        for _, lane in ipairs(self.lanes.list) do
            if lane.owner == owner then lane.leaving = true end
        end
        if role.warned ~= reason then
            role.warned = reason
            self.warn('jobs wait: ' .. reason)
        end
    end
    return not reason
end

-- True when a session may be started for the role now; false and the time when that is tried again.
function roles.may_run(self, owner, name) -- internal
    local role = role_of(self, owner)
    if role.retry_at and core.now() < role.retry_at then return false, role.retry_at end
    if role.checked and core.now() - role.checked < CHECK_AGAIN then return true end
    return roles.check(self, owner, name)
end

-- A session of the role could not be started: it is tried again later, unless it is clear why.
function roles.refused(self, owner, err) -- internal
    local role = role_of(self, owner)
    if not roles.check(self, owner, role.name) then return end
    role.retry_at, role.delay = core.now() + role.delay, math.min(LAST_DELAY, role.delay * 2)
    if role.delay == 2 * FIRST_DELAY or role.delay == LAST_DELAY then
        self.warn(string.format('jobs of role "%s" wait because its session could not be started: %s', role.name,
            tostring(err.message)), err.detail or err.hint)
    end
end

-- Looks again at all roles: of those that run jobs, and of those that may not. To be called now and then.
function roles.review(self) -- internal
    for _, lane in ipairs(self.lanes.list) do
        local role = self.roles[lane.owner]
        if not lane.starting and role and core.now() - role.checked >= CHECK_AGAIN then
            role.delay = FIRST_DELAY
            roles.check(self, lane.owner, role.name)
        end
    end
    for owner in pairs(self.ready.held) do
        if not self.store.hold(owner, self.roles[owner].name) then
            self.ready:let_go(owner)
            self.roles[owner].warned = nil
            learning.look_from(self, 0)
        end
    end
    for owner, role in pairs(self.roles) do
        if role.checked and not self.ready.held[owner] and core.now() - role.checked > 600 then
            self.roles[owner] = nil
        end
    end
end

return roles
