-- The object `bg`: background sessions for Lua code. Called once per interpreter, with the table to
-- fill.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local combinators = require 'bg.combinators'
local job = require 'bg.job'
local map = require 'bg.map'
local nodes = require 'bg.nodes'
local return_rows = require 'bg.return_rows'
local session = require 'bg.session'
local timer = require 'bg.timer'
local trace = require 'bg.trace'
local wait = require 'bg.wait'

local _, target = ...
local bg = type(target) == 'table' and target or {}

for name, fn in pairs(combinators) do bg[name] = fn end

function bg.launch(options) return session.launch(options) end

bg.map = map.map
bg.each = map.each
bg.on_all = map.on_all
bg.nodes = nodes.nodes
bg.citus = nodes.citus
bg.channel = require 'bg.channel'
bg.chunks = require 'bg.chunks'
bg.import = require 'bg.import'
bg.profile = require 'bg.profile'
bg.retry = require 'bg.retry'
bg.scope = require 'bg.scope'
bg.session = session.find
bg.sessions = session.list
bg.give = return_rows.give
bg.cancelled = job.cancelled
bg.discard = job.discard
bg.job = job.find
bg.snooze = job.snooze
bg.step = job.step
bg.submit = job.submit
bg.now = wait.now
bg.progress = core.report_progress
bg.sleep = timer.sleep
bg.timer = timer.new
bg.trace = trace.trace
bg.last_trace = trace.last

-- Methods as functions of a session or its pid.
for _, name in ipairs {'run', 'result', 'results', 'exec', 'rows', 'notification', 'notifications', 'detach',
    'cancel', 'terminate', 'close'} do
    local method = session.methods[name]
    bg[name] = function(object, ...) return method(session.resolve(object), ...) end
end

-- Never raises for a pid that is unknown.
function bg.status(object)
    if math.type(object) == 'integer' then
        local found = session.find(object)
        if not found then return {pid = object, state = 'gone', queued = 0} end
        object = found
    end
    return core.status(session.resolve(object))
end

-- Runs sql in a session of its own after this transaction has committed.
function bg.on_commit(sql, ...)
    core.on_commit(argcheck.text(sql, 'the statement'), ...)
end

-- Runs one statement in a transaction of its own and returns its result.
function bg.autonomous(sql, ...)
    argcheck.text(sql, 'the statement')
    local own <close> = session.launch{on_exit = 'cancel'}
    local result = own:exec(sql, ...)
    own:detach()
    return result
end

-- bg.self: the job that runs this code, as it is now.
local function field(_, name)
    if name == 'self' then return job.current() end
end

return bg, {__index = field, __metatable = false}
