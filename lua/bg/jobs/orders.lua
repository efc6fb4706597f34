-- What somebody wants to become of a job: to be cancelled, tried again, or run now. An order is a row, which goes when
-- it is carried out; whoever gives one waits for nobody. `self` is the scheduler.

local orders = {}

local PAGE = 1000 -- more than there can be cancels of running jobs

-- There may be some.
function orders.look(self) -- internal
    self.orders = self.orders or {open = {}, done = {}}
    self.orders.news = true
end

function orders.is_waiting(self) -- internal
    return self.orders.news or #self.orders.done > 0
end

-- One that runs is cancelled; its order stays until it has ended, in case we do not live to see that.
local function cancel(self, job, id)
    if job and job.state == 'running' then
        job.cancelled = true
        job.order, self.orders.open[id] = id, true
        job.lane:cancel(job.entry)
        return false
    end
    return true
end

local function remove(self, job, id)
    if job then self.ready:remove(job) end
    self.parents:forget(id)
end

local actions = {}

function actions.cancel(self, order) -- internal
    local job = self.ready.jobs[order.job]
    if not cancel(self, job, order.id) then return false end
    remove(self, job, order.job)
    self:bury{id = order.job, state = 'c'}
    return true
end

function actions.run(self, order) -- internal
    local job = self.ready.jobs[order.job]
    if job and job.state == 'running' then return true end
    if job then self.ready:remove(job) end
    self.store.run_now(order.job)
    table.insert(self.read_again, order.job)
    return true
end

function actions.retry(self, order) -- internal
    self.store.revive(order.job)
    return actions.run(self, order)
end

-- A job that was to be cancelled has ended.
function orders.ended(self, job) -- internal
    table.insert(self.orders.done, job.order)
end

-- Carries out what there is.
function orders.carry_out(self) -- internal
    local known = self.orders
    if known.news then
        local list = self.store.orders(PAGE)
        known.news = #list == PAGE
        for _, order in ipairs(list) do
            if not known.open[order.id] then
                -- What was decided of a job before is in its row before anything else is.
                if order.action ~= 'cancel' then self:write() end
                if not actions[order.action] or actions[order.action](self, order) then
                    table.insert(known.done, order.id)
                end
            end
        end
    end
    if #known.done > 0 then
        self:write()
        self.store.drop_orders(known.done)
        for _, id in ipairs(known.done) do known.open[id] = nil end
        known.done = {}
    end
end

return orders
