-- What the tasks of a scheduler wait for outside of it: commands of sessions, other things of theirs, and times. A
-- request has lists `sessions` and `ids` of n elements, and maybe a `deadline`.

local core = require 'bg.core'
local heap = require 'bg.heap'

local Requests = {}
Requests.__index = Requests

-- True for a command's number, not for a stream and not for the wait for a notification.
local function is_command(id)
    return math.type(id) ~= nil and id ~= core.any_notification
end

-- The heap of those that wait for commands of a session.
local function lane_of(self, session)
    local lane = self.lanes[session]
    if not lane then
        lane = heap()
        lane.session = session
        self.lanes[session] = lane
        self.lane_list[#self.lane_list + 1] = lane
    end
    return lane
end

local function enter_in(entered, key, request, place)
    entered:push(key, request, place)
    request.heaps[#request.heaps + 1] = entered
end

-- Commands of a session end in the order they were sent, so that of each session the oldest is all that has to be
-- awaited.
function Requests:enter(request) -- internal
    request.heaps = {}
    local oldest = {}
    for i = 1, request.n do
        local session, id = request.sessions[i], request.ids[i]
        if not is_command(id) then
            self.others[#self.others + 1] = {session = session, id = id, request = request, place = i}
        elseif not oldest[session] or id < request.ids[oldest[session]] then
            oldest[session] = i
        end
    end
    for i = 1, request.n do
        local session = request.sessions[i]
        if oldest[session] == i then enter_in(lane_of(self, session), request.ids[i], request, i) end
    end
    if request.deadline then enter_in(self.sleepers, request.deadline, request) end
end

-- Nobody waits for it any more.
function Requests:leave(request) -- internal
    request.over = true
    for _, entered in ipairs(request.heaps) do entered:lose() end
end

-- What all of them wait for, as the arguments of wait.any by name. Drops what nobody waits for any more.
function Requests:plan() -- internal
    local sessions, ids, lanes, others = {}, {}, {}, {}
    for _, lane in ipairs(self.lane_list) do
        local first = lane:top()
        if first then
            lanes[#lanes + 1] = lane
            sessions[#lanes], ids[#lanes] = lane.session, first.key
        else
            self.lanes[lane.session] = nil
        end
    end
    for _, other in ipairs(self.others) do
        if not other.request.over then
            others[#others + 1] = other
            sessions[#lanes + #others], ids[#lanes + #others] = other.session, other.id
        end
    end
    self.lane_list, self.others = lanes, others
    local first = self.sleepers:top()
    return {sessions = sessions, ids = ids, n = #lanes + #others, deadline = first and first.key}
end

-- wake(request, place) for each request in the heap with a key up to that one. It makes the request leave.
local function wake_up_to(entered, key, wake)
    local first = entered:top()
    while first and first.key <= key do
        wake(first.request, first.place)
        first = entered:top()
    end
end

-- Calls wake(request) for those whose time has come.
function Requests:wake_sleepers(now, wake) -- internal
    wake_up_to(self.sleepers, now, wake)
end

-- Calls wake(request, place) for those that have waited for what has settled in a session: a command and those before
-- it, or another thing.
function Requests:wake_waiters(session, id, wake) -- internal
    if is_command(id) then return wake_up_to(self.lanes[session], id, wake) end
    for _, other in ipairs(self.others) do
        if other.session == session and other.id == id and not other.request.over then
            wake(other.request, other.place)
        end
    end
end

local requests = {}

function requests.new() -- internal
    return setmetatable({sleepers = heap(), lanes = {}, lane_list = {}, others = {}}, Requests)
end

-- Cancels the commands that a request waits for.
function requests.cancel(request) -- internal
    for i = 1, request.n do
        if is_command(request.ids[i]) then core.cancel_command(request.sessions[i], request.ids[i]) end
    end
end

return requests
