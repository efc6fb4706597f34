-- The interface of pllua 1.x: server.*, fromstring, subtransaction, setshared and functions that send messages, as
-- globals of user code. Called with those globals and the metatable of the environments that functions have.
local globals, environment = ...

local elog = require 'pllua.elog'
local spi = require 'pllua.spi'
local pgtype = require 'pllua.pgtype'

for _, level in ipairs { 'info', 'log', 'notice', 'warning' } do globals[level] = elog[level] end

-- The library of this name stays.
setmetatable(globals.debug, { __call = function(_, ...) return elog.debug(...) end })

function globals.fromstring(name, text)
    local type = pgtype[name] or elog.error('42704', ("type \"%s\" does not exist"):format(name))
    return type:fromstring(text)
end

globals.subtransaction = require('pllua.error').subtransaction

function globals.pgfunc() error('pgfunc is not implemented', 2) end

-- What functions share: each sees it as globals of its own, and changes it by assignment.
local shared = setmetatable({}, { __index = globals })
globals.shared = shared

function globals.setshared(name, value)
    if name == nil then error('the name of a shared value is nil', 2) end
    shared[name] = value
    environment.__index = shared
    environment.__newindex = function(env, key, new)
        rawset(rawget(shared, key) ~= nil and shared or env, key, new)
    end
end

-- The rows, or nil when there are none.
local function rows_of(result)
    return type(result) == 'table' and result.n > 0 and #result > 0 and result or nil
end

local Cursor = {}
Cursor.__index = Cursor

local function new_cursor(curs) return setmetatable({ curs = curs }, Cursor) end

local function direction(relative) return relative and 'relative' or 'absolute' end

function Cursor:fetch(n) return rows_of(self.curs:fetch(n)) end

function Cursor:posfetch(position, relative) return rows_of(self.curs:fetch(position, direction(relative))) end

function Cursor:move(n)
    self.curs:move(n)
    return nil
end

function Cursor:posmove(position, relative)
    self.curs:move(position, direction(relative))
    return nil
end

function Cursor:close() self.curs:close() end

local Statement = {}
Statement.__index = Statement

-- Arguments come as a table.
local function arguments_of(statement, arguments)
    local n = statement:numargs()
    if n == 0 then return end
    return table.unpack(arguments, 1, n)
end

function Statement:execute(arguments, _, count)
    return rows_of(self.stmt:execute_count(count, arguments_of(self.stmt, arguments)))
end

function Statement:rows(arguments) return self.stmt:rows(arguments_of(self.stmt, arguments)) end

function Statement:getcursor(arguments, _, name)
    if name == nil then return new_cursor(self.stmt:getcursor(arguments_of(self.stmt, arguments))) end
    return new_cursor(spi.newcursor(name):open(self.stmt, arguments_of(self.stmt, arguments)))
end

function Statement:save() return self end

function Statement:issaved() return true end

globals.server = {
    execute = function(command, _, count) return rows_of(spi.execute_count(command, count)) end,
    rows = spi.rows,
    prepare = function(command, types, options)
        return setmetatable({ stmt = spi.prepare(command, types, options) }, Statement)
    end,
    find = function(name)
        local curs = spi.findcursor(name)
        return curs and new_cursor(curs)
    end,
}
