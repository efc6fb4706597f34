-- A function for each item: tasks, each with a session of its own, that take item after item.

local core = require 'bg.core'
local group = require 'bg.scheduler'
local timer = require 'bg.timer'
local workers = require 'bg.map_sessions'

local Crew = {}
Crew.__index = Crew

-- The session of a task; another takes its place when it is lost.
local desk_metatable = {
    __close = function(desk)
        if desk.session then core.close(desk.session) end
    end,
}

-- Brings the session into the state it had before an item that has failed.
local function put_right(self, desk)
    local transaction = core.status(desk.session).transaction
    if workers.is_gone(desk.session) or self.options.snapshot and transaction ~= 'I' then
        core.close(desk.session)
        desk.session = nil
        desk.session = workers.launch(self.options, true)
    elseif transaction ~= 'I' then
        desk.session:rollback()
    end
end

-- True when the slot has an outcome, false when it has to be tried again.
local function work_on(self, desk, slot)
    local options = self.options
    local careful = options.errors == 'collect' or options.retry > 0
    slot.attempts = slot.attempts + 1
    -- Without need no pcall: it would undo what the function does here, and let it wait alone.
    local ok, value = (careful and pcall or lpcall or pcall)(self.work, desk.session, slot.item)
    if ok then
        slot.ok, slot.value = true, value
        return true
    end
    local again = slot.attempts <= options.retry and workers.is_transient(value)
    if not again then
        value = workers.in_item(value, slot, self.caller)
        if options.errors == 'raise' then error(value, 0) end
        slot.ok, slot.value = false, value
    end
    put_right(self, desk)
    return not again
end

-- Another task may be done before there is room; whoever rests is not waited for.
local function rest(self)
    self.resting = self.resting + 1
    timer.sleep(workers.REST)
    self.resting = self.resting - 1
end

local function run(self, is_first)
    local desk <close> = setmetatable({}, desk_metatable)
    local slot = self.items:take()
    while slot do
        desk.session = desk.session or workers.launch(self.options, is_first)
        if not desk.session then
            self.items:give_back(slot)
            rest(self)
            slot = self.items:take()
        elseif work_on(self, desk, slot) then
            self.settled[#self.settled + 1] = slot
            group.pass() -- the next item is begun when a result is asked for
            slot = self.items:take()
        end
    end
    if desk.session then
        workers.finish(desk.session, self.options)
        desk.session = nil
    end
end

-- The next slot that has an outcome, in any order; nil when there is none left. The tasks run inside
-- only.
function Crew:next() -- internal
    self.tasks:run(self.has_news)
    return table.remove(self.settled, 1)
end

function Crew:finish() end -- internal

function Crew:__close()
    self.tasks:close()
end

return function(work, items, options, caller) -- internal
    local tasks = group.new()
    local self = setmetatable({work = work, items = items, options = options, caller = caller,
        tasks = tasks, settled = {}, resting = 0}, Crew)
    self.has_news = function() return #self.settled > 0 or tasks.live == self.resting end
    for i = 1, math.min(options.workers, items.total or math.huge) do
        tasks:go({}, run, self, i == 1)
    end
    return self
end
