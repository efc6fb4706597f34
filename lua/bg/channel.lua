-- bg.channel: values from task to task.
--
-- A receiver that is woken takes its value when it runs, not before: `promised` of the values are for such ones. So
-- one that is cancelled meanwhile leaves it to the next, and values are received in the order they were sent, whoever
-- runs first.

local argcheck = require 'bg.argcheck'
local fifo = require 'bg.fifo'
local scheduler = require 'bg.scheduler'
local wait = require 'bg.wait'

local Channel = {}
Channel.__index = Channel
Channel.__name = 'bg.channel'

-- Wakes receivers for values that nobody has been promised.
local function promise(self)
    while self.kept.n > self.promised and self.receivers.n > 0 do
        self.promised = self.promised + 1
        scheduler.settle(self.receivers:pop(), 'promised')
    end
end

-- Lets values of senders in while there is room, and until there are `least`.
local function let_in(self, least)
    while self.senders.n > 0 and self.kept.n < math.max(self.capacity, least) do
        local sender = self.senders:pop()
        self.kept:push(sender.value)
        scheduler.settle(sender, 'sent')
    end
end

-- Wakes those who wait for the channel together with other things.
local function announce(self)
    local arrival = self.arrival
    self.arrival = nil
    if arrival then scheduler.settle(arrival, 'ended') end
end

-- One that waits in a queue of the channel: to be closed when it does no longer.
local waiter_metatable = {
    __close = function(waiter)
        if waiter.state == 'pending' then
            waiter.queue:remove(waiter.place, waiter)
        elseif waiter.state == 'promised' then
            waiter.channel.promised = waiter.channel.promised - 1
            promise(waiter.channel)
            announce(waiter.channel)
        end
    end,
}

local function enqueue(self, queue, value)
    local waiter = setmetatable({state = 'pending', channel = self, queue = queue, value = value}, waiter_metatable)
    waiter.place = queue:push(waiter)
    return waiter
end

local function wait_for(waiter, timeout)
    wait.any({}, {}, 0, timeout, {waiter})
end

-- True when the value has been taken, or waits in the channel; nil, 'timeout'; nil, 'closed'.
function Channel:send(value, timeout)
    argcheck.self(self, Channel, 'send')
    if value == nil then argcheck.fail('nil cannot be sent', 'It is what receive gives when there is no value.') end
    timeout = argcheck.timeout(timeout, 'timeout')
    if self.closed then return nil, 'closed' end
    if self.receivers.n > 0 or self.kept.n < self.capacity then
        self.kept:push(value)
        promise(self)
        announce(self)
        return true
    end
    if timeout == 0 then return nil, 'timeout' end
    local sender <close> = enqueue(self, self.senders, value)
    announce(self)
    wait_for(sender, timeout)
    if sender.state == 'sent' then return true end
    return nil, sender.state == 'closed' and 'closed' or 'timeout'
end

-- The oldest value; nil, 'timeout'; nil, 'closed' when no more will come.
function Channel:receive(timeout)
    argcheck.self(self, Channel, 'receive')
    timeout = argcheck.timeout(timeout, 'timeout')
    if #self == 0 then
        if self.closed then return nil, 'closed' end
        if timeout == 0 then return nil, 'timeout' end
        local receiver <close> = enqueue(self, self.receivers)
        wait_for(receiver, timeout)
        if receiver.state ~= 'promised' then return nil, receiver.state == 'closed' and 'closed' or 'timeout' end
        receiver.state = 'done'
        self.promised = self.promised - 1
    end
    let_in(self, 1)
    local value = self.kept:pop()
    let_in(self, self.promised)
    return value
end

-- How many values can be received without a wait.
function Channel:__len()
    return self.kept.n + self.senders.n - self.promised
end

-- Iterates over the values until the channel is closed and empty.
function Channel:values()
    argcheck.self(self, Channel, 'values')
    return function() return (self:receive()) end
end

function Channel:pending()
    if #self > 0 or self.closed then return nil end
    self.arrival = self.arrival or {state = 'pending'}
    return nil, nil, math.huge, self.arrival
end

-- Nothing can be sent any more, and senders that wait are sent away; what is in it can be received.
function Channel:close()
    argcheck.self(self, Channel, 'close')
    if self.closed then return false end
    self.closed = true
    for _, queue in ipairs{self.senders, self.receivers} do
        while queue.n > 0 do scheduler.settle(queue:pop(), 'closed') end
    end
    announce(self)
    return true
end

Channel.__close = Channel.close

function Channel:__tostring()
    return string.format('bg.channel (%s)', self.closed and 'closed' or 'open')
end

-- In it `capacity` values can wait; 0: a sender waits until its value is taken.
return function(capacity) -- internal
    return setmetatable({
        capacity = capacity == nil and 0 or argcheck.count(capacity, 'the argument of bg.channel', 0),
        kept = fifo(), promised = 0, senders = fifo(), receivers = fifo(),
    }, Channel)
end
