-- A function for each item: tasks, each with a session of its own, that take item after item.

local core = require 'bg.core'
local scheduler = require 'bg.scheduler'
local timer = require 'bg.timer'
local map_sessions = require 'bg.map_sessions'

local TaskEngine = {}
TaskEngine.__index = TaskEngine

-- Holds the session of a task; another takes its place when it is lost.
local holder_metatable = {
    __close = function(holder)
        if holder.session then core.close(holder.session) end
    end,
}

-- Gives the task a session, if there is room for one; whoever would be the only one to have one waits, which lets the
-- others run.
local function take_session(self, holder)
    local is_only = self.held == 0 and not self.opening
    self.opening = self.opening or is_only
    holder.session = map_sessions.launch(self.options, is_only)
    if is_only then self.opening = false end
    if holder.session then self.held = self.held + 1 end
end

local function let_go(self, holder)
    local handle = holder.session
    holder.session = nil
    self.held = self.held - 1
    return handle
end

-- Brings the session into the state it had before an item that has failed.
local function put_right(self, holder)
    local transaction = core.status(holder.session).transaction
    if map_sessions.is_gone(holder.session) or self.options.snapshot and transaction ~= 'I' then
        core.close(let_go(self, holder))
    elseif transaction ~= 'I' then
        holder.session:rollback()
    end
end

-- True when the slot has an outcome, false when it has to be tried again.
local function work_on(self, holder, slot)
    local options = self.options
    local careful = options.errors == 'collect' or options.retry > 0
    slot.attempts = slot.attempts + 1
    -- Without need no pcall: it would undo what the function does here, and let it wait alone.
    local ok, value = (careful and pcall or lpcall or pcall)(self.work, holder.session, slot.item)
    if ok then
        slot.ok, slot.value = true, value
        return true
    end
    local again = slot.attempts <= options.retry and map_sessions.is_transient(value)
    if not again then
        value = map_sessions.in_item(value, slot, self.caller)
        if options.errors == 'raise' then error(value, 0) end
        slot.ok, slot.value = false, value
    end
    put_right(self, holder)
    return not again
end

-- Another task may be done before there is room; whoever waits here is not waited for.
local function wait_for_room(self)
    self.without_room = self.without_room + 1
    timer.sleep(map_sessions.RETRY)
    self.without_room = self.without_room - 1
end

-- True when somebody waits for the slot of a session and others go on with the items.
local function is_wanted(self, holder)
    return self.held > 1 and core.is_slot_awaited() and map_sessions.is_free(holder.session, self.options)
end

local function run(self)
    local holder <close> = setmetatable({}, holder_metatable)
    local slot = self.queue:take()
    while slot do
        if not holder.session then take_session(self, holder) end
        if not holder.session then
            self.queue:give_back(slot)
            wait_for_room(self)
            slot = self.queue:take()
        elseif work_on(self, holder, slot) then
            self.settled[#self.settled + 1] = slot
            scheduler.pass() -- the next item is begun when a result is asked for
            if is_wanted(self, holder) then map_sessions.finish(let_go(self, holder), self.options) end
            slot = self.queue:take()
        end
    end
    if holder.session then map_sessions.finish(let_go(self, holder), self.options) end
end

-- The next slot that has an outcome, in any order; nil when there is none left; nil, 'timeout'. The
-- tasks run inside only.
function TaskEngine:next() -- internal
    if not self.tasks:run(self.has_news, self.options.deadline) then return nil, 'timeout' end
    return table.remove(self.settled, 1)
end

function TaskEngine:finish() end -- internal

function TaskEngine:__close()
    self.tasks:close()
    map_sessions.end_keeping(self.options)
end

return function(work, queue, options, caller) -- internal
    local tasks = scheduler.new()
    local self = setmetatable({work = work, queue = queue, options = options, caller = caller,
        tasks = tasks, settled = {}, held = 0, without_room = 0}, TaskEngine)
    self.has_news = function() return #self.settled > 0 or tasks.live == self.without_room end
    for _ = 1, math.min(options.workers, queue.total or math.huge) do
        tasks:go({}, run, self)
    end
    return self
end
