-- Prepared statements of a session as Lua code sees them. C++ makes them; this file gives them their
-- methods.

local core = require 'bg.core'
local future = require 'bg.future'

local session_of = core.statement_session

local methods = {close = core.release}

function methods.run(self, ...)
    local session = session_of(self)
    return future.new(session, core.send(session, self, ...))
end

function methods.exec(self, ...)
    return (core.exec(session_of(self), self, ...))
end

-- Iterates over the rows while they come; leaving the loop cancels the rest.
function methods.rows(self, ...)
    local next_row, stream = core.stream(session_of(self), self, ...)
    return next_row, nil, nil, stream
end

core.statement_metatable.__index = methods

local statement = {}

-- Has the worker analyse the statement; raises when it is wrong.
function statement.prepare(session, sql, types) -- internal
    local prepared, id = core.prepare(session, sql, types)
    future.of(session, id):get()
    return prepared
end

return statement
