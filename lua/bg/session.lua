-- Sessions as Lua code sees them. A handle is made by C++ and holds the session's number, never a
-- pointer; this file gives it its methods. A session lives until it is closed or detached, or until
-- its backend ends. Once somebody was told its pid, no handle need be held: bg.session(pid) finds it
-- again. Else it is let go when its handle is collected.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local future = require 'bg.future'
local launch = require 'bg.launch'
local notify = require 'bg.notify'
local statement = require 'bg.statement'
local transaction = require 'bg.transaction'
local wait = require 'bg.wait'

local methods = {
    exec = core.exec,
    cancel = core.cancel,
    terminate = core.terminate,
    status = core.status,
    detach = core.detach,
    close = core.close,
    prepare = statement.prepare,
}
for name, method in pairs(transaction) do methods[name] = method end
local session = {methods = methods}

-- Handles by session number, so that a session has one handle only: those somebody holds, and
-- those the collector has found whose session somebody may ask for. Those of ended sessions are
-- swept out.
local handles = setmetatable({}, {__mode = 'v'})
local told = core.told_handles

local function sweep()
    for _, list in ipairs{handles, told} do
        for number, handle in pairs(list) do
            if not core.is_alive(handle) then list[number] = nil end
        end
    end
end

local function handle_of(number)
    local handle = handles[number] or told[number]
    if not handle then
        handle = core.handle(number)
        handles[number] = handle
    end
    return handle
end

-- Exports the snapshot of a session's transaction: its name, valid as long as that.
local function export(from)
    core.exec(from, '') -- what was sent before is done now, and the status is true
    if core.status(from).transaction ~= 'T' then
        core.raise('25P01', 'the session whose snapshot is to be shared is in no transaction',
            "session:begin{isolation = 'repeatable read'}")
    end
    return core.exec(from, 'select pg_catalog.pg_export_snapshot()').value
end

local import_metatable = {
    __close = function(import)
        if not import.done then core.close(import.session) end
    end,
}

-- Begins the transaction of a new session that sees what another one's does.
local function import(handle, snapshot)
    local guard <close> = setmetatable({session = handle}, import_metatable)
    core.exec(handle, string.format("begin isolation level repeatable read; set transaction snapshot '%s'", snapshot))
    guard.done = true
end

-- bg.launch; with asks_again nil where there is no room now.
function session.launch(options, asks_again) -- internal
    local from = type(options) == 'table' and options.snapshot
    local snapshot = core.is_session(from) and export(from)
    local handle = launch.launch(options, asks_again)
    if not handle then return nil end
    sweep()
    handles[core.number(handle)] = handle
    if snapshot then import(handle, snapshot) end
    return handle
end

-- The session of this backend with that pid, or nil.
function session.find(pid) -- internal
    if math.type(pid) ~= 'integer' then argcheck.mismatch('a pid must be an integer', pid) end
    local number = core.find(pid)
    return number and handle_of(number)
end

-- The sessions of this backend, oldest first.
function session.list() -- internal
    sweep()
    local list = core.numbers()
    table.sort(list)
    for i, number in ipairs(list) do list[i] = handle_of(number) end
    return list
end

-- The session meant by a handle or a pid; raises when there is none.
function session.resolve(object) -- internal
    if core.is_session(object) then return object end
    if math.type(object) == 'integer' then
        local found = session.find(object)
        if found then return found end
        core.raise('42704', string.format('PID %d is not attached to this session', object))
    end
    argcheck.mismatch('a session or its pid is expected', object)
end

function methods.run(self, sql, ...)
    return future.new(self, core.send(self, sql, ...))
end

-- The result of the newest command nobody has fetched; nil when there is none.
function methods.result(self, timeout)
    timeout = argcheck.timeout(timeout, 'timeout')
    if not core.is_alive(self) then return nil, 'closed' end
    local id = core.newest(self)
    if not id then return nil end
    return future.of(self, id):get(timeout)
end

-- Iterates over the results nobody has fetched, oldest first.
function methods.results(self)
    core.number(self) -- a session it has to be
    return function()
        local id = core.is_alive(self) and core.oldest(self)
        if not id then return nil end
        return (future.of(self, id):get())
    end
end

local function check_taker(self)
    core.number(self) -- a session it has to be
    if notify.has_handler(self) then
        core.raise('55000', 'the notifications of this session go to its on_notify function')
    end
end

local function take_notification(self)
    local channel, payload, pid = core.notification(self)
    return channel and {channel = channel, payload = payload, pid = pid}
end

-- The oldest notification that nobody has taken; waits for one.
function methods.notification(self, timeout)
    timeout = argcheck.timeout(timeout, 'timeout')
    check_taker(self)
    if not core.is_alive(self) then return nil, 'closed' end
    local got = take_notification(self)
    if got then return got end
    if not wait.one(self, core.any_notification, timeout) then return nil, 'timeout' end
    got = take_notification(self)
    if got then return got end
    return nil, 'closed'
end

-- Iterates over the notifications that have come.
function methods.notifications(self)
    check_taker(self)
    return function() return take_notification(self) or nil end
end

-- Iterates over the rows of one statement while they come; leaving the loop cancels the rest.
function methods.rows(self, sql, ...)
    local next_row, stream = core.stream(self, sql, ...)
    return next_row, nil, nil, stream
end

-- A session has settled when all that was sent is done.
function methods.pending(self)
    local id = core.last(self)
    if id and core.state(self, id) == 'pending' then return self, id end
end

local metatable = core.session_metatable

function metatable.__index(self, name)
    local method = methods[name]
    if method ~= nil then return method end
    if name == 'pid' then return core.pid(self) end
    if name == 'name' then return core.name(self) end
    return nil
end

metatable.__close = core.close_scope

function metatable.__tostring(self)
    local status = core.status(self)
    local name = status.name and string.format(' %q', status.name) or ''
    local pid = status.pid and status.pid > 0 and ' with pid ' .. status.pid or ''
    return 'bg.session' .. name .. pid .. ' (' .. status.state .. ')'
end

session.of_number = handle_of

return session
