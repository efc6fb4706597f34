-- The work of bg.map and bg.each on several servers: for each server an engine of its own, driven by a task. Where any
-- server may have any item they share one queue; where a function says which server an item belongs to, each has its
-- own.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local map_sessions = require 'bg.map_sessions'
local scheduler = require 'bg.scheduler'
local server = require 'bg.server'
local timer = require 'bg.timer'

local MapServers = {}
MapServers.__index = MapServers

-- How long it is until it is looked again whether another server has its first session, in seconds.
local OPENING = 0.005

-- The options for one server; `first` is its first session until the engine has taken it.
local place_metatable = {
    __close = function(place)
        if place.first then core.close(place.first) end
        map_sessions.end_keeping(place)
    end,
}

-- The first session of a server, when there is room for it; nil when all items have been taken meanwhile. Whoever
-- would be the only one waits for a slot, and fails when there is none. One after the other: what keeps a snapshot for
-- sessions that find no room would take the room of those that could work.
local function first_session(self, options, queue)
    while true do
        local slot = queue:take()
        if not slot then return nil end
        queue:give_back(slot)
        if self.opening then
            timer.sleep(OPENING)
        else
            self.opening = true
            local handle = map_sessions.launch(options, self.held == 0)
            self.opening = false
            if handle then return handle end
            map_sessions.end_keeping(options)
            timer.sleep(map_sessions.RETRY)
        end
    end
end

local function work_on(self, where, queue)
    local place <close> = setmetatable({}, place_metatable)
    for name, value in pairs(self.options) do place[name] = value end
    place.server = where
    place.first = first_session(self, place, queue)
    if not place.first then return end
    self.held = self.held + 1
    local engine <close> = self.engine(self.work, queue, place, self.caller)
    while true do
        local slot, why = engine:next()
        if why then
            self.why = why
            return
        end
        if not slot then break end
        self.settled[#self.settled + 1] = slot
        scheduler.pass() -- the next one is begun when a result is asked for
    end
    engine:finish()
    self.held = self.held - 1
end

-- As of the engines: the next slot that has an outcome; nil when there is none left; nil, 'timeout'.
function MapServers:next() -- internal
    if not self.tasks:run(self.has_news, self.options.deadline) then return nil, 'timeout' end
    if self.why then return nil, self.why end
    return table.remove(self.settled, 1)
end

function MapServers:finish() end -- internal

function MapServers:__close()
    self.tasks:close()
end

local map_servers = {}

-- The option `server`: where all sessions are, a list, or a function that says it for an item.
function map_servers.option(value, what) -- internal
    if argcheck.is_callable(value) then return value end
    if type(value) ~= 'table' or value[1] == nil and next(value) ~= nil then return server.text(value, what) end
    local list = server.list(value, what)
    if #list == 0 then argcheck.fail(what .. ' is an empty list') end
    return list
end

-- {name=, queue=} of each.
local function servers_of(option, queue)
    if argcheck.is_callable(option) then
        return queue:split(function(slot)
            return server.text(option(slot.item), string.format('the server of item %d', slot.index))
        end)
    end
    local parts = {}
    for i, name in ipairs(option) do parts[i] = {name = name, queue = queue} end
    return parts
end

-- As the engines themselves are made; `engine` makes one.
function map_servers.new(engine, work, queue, options, caller) -- internal
    local parts = servers_of(options.server, queue)
    local tasks = scheduler.new()
    local self = setmetatable({engine = engine, work = work, options = options, caller = caller, tasks = tasks,
        settled = {}, held = 0}, MapServers)
    self.has_news = function() return #self.settled > 0 or self.why or tasks.live == 0 end
    for _, part in ipairs(parts) do tasks:go({}, work_on, self, part.name, part.queue) end
    return self
end

return map_servers
