-- The outcome of one command of a session, now or later. A future remembers what it has fetched, so
-- it can be asked any number of times; the command itself is then forgotten by the session.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local wait = require 'bg.wait'

-- Only errors of Lua are caught: nothing in the database needs to be undone.
local protect = lpcall or pcall

local Future = {}
Future.__index = Future
Future.__name = 'bg.future'

local future = {}

-- The futures that somebody holds, by session and command: whatever way a result is fetched, its
-- future has it.
local held = setmetatable({}, {__mode = 'k'})

local function new(session, id)
    local futures = held[session]
    if not futures then
        futures = setmetatable({}, {__mode = 'v'})
        held[session] = futures
    end
    local self = setmetatable({session = session, id = id}, Future)
    futures[id] = self
    return self
end

future.new = new

-- The future of a command that was sent earlier.
function future.of(session, id) -- internal
    local futures = held[session]
    return futures and futures[id] or new(session, id)
end

function Future:pending()
    if not self.outcome and core.state(self.session, self.id) == 'pending' then
        return self.session, self.id
    end
end

function Future:done()
    argcheck.self(self, Future, 'done')
    return self:pending() == nil
end

function Future:wait(timeout)
    argcheck.self(self, Future, 'wait')
    timeout = argcheck.timeout(timeout, 'timeout')
    return self.outcome ~= nil or wait.one(self.session, self.id, timeout)
end

-- Fetches what has arrived. outcome is 'ok', 'failed' or 'closed' afterwards. A result that does not
-- fit into memory is gone, so the error is the outcome.
local function fetch(self)
    local fetched, ok, value, all = protect(core.fetch, self.session, self.id)
    if self.outcome then return end -- a notice handler asked us meanwhile
    if not fetched then
        self.outcome, self.value = 'failed', ok
    elseif ok == nil then
        self.outcome = 'closed'
    elseif ok then
        self.outcome, self.value, self.results = 'ok', value, all
    else
        self.outcome, self.value = 'failed', value
    end
end

function Future:try(timeout)
    argcheck.self(self, Future, 'try')
    if not self.outcome then
        if not self:wait(timeout) then return nil, 'timeout' end
        fetch(self)
    end
    if self.outcome == 'ok' then return self.value end
    if self.outcome == 'closed' then return nil, 'closed' end
    return nil, self.value
end

function Future:get(timeout)
    argcheck.self(self, Future, 'get')
    local value, why = self:try(timeout)
    if self.outcome == 'failed' then error(self.value, 0) end
    return value, why
end

-- The results of all statements of the command, in order.
function Future:all(timeout)
    argcheck.self(self, Future, 'all')
    local value, why = self:get(timeout)
    if value == nil then return nil, why end
    return self.results or {value}
end

-- Cancels the command; true when there was something to cancel.
function Future:cancel()
    argcheck.self(self, Future, 'cancel')
    return self.outcome == nil and core.cancel_command(self.session, self.id)
end

function Future:__tostring()
    local state = self.outcome or core.state(self.session, self.id)
    return string.format('bg.future %d of %s (%s)', self.id, tostring(self.session), state)
end

return future
