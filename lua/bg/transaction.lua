-- Transactions of a session as methods: begin, commit, rollback, atomic.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'

local methods = {}

local levels = {'serializable', 'repeatable read', 'read committed', 'read uncommitted'}

local begin_options = {
    isolation = function(value, what)
        return argcheck.one_of(type(value) == 'string' and value:lower() or value, levels, what)
    end,
    readonly = argcheck.boolean,
    deferrable = argcheck.boolean,
}

local function begin_statement(options, caller)
    local checked = argcheck.options(options, begin_options, caller)
    local words = {}
    if checked.isolation then words[#words + 1] = 'isolation level ' .. checked.isolation end
    if checked.readonly ~= nil then
        words[#words + 1] = checked.readonly and 'read only' or 'read write'
    end
    if checked.deferrable ~= nil then
        words[#words + 1] = checked.deferrable and 'deferrable' or 'not deferrable'
    end
    return #words == 0 and 'begin' or 'begin ' .. table.concat(words, ', ')
end

function methods.begin(self, options)
    return (core.exec(self, begin_statement(options, 'begin')))
end

-- Raises when the transaction could not be committed because a statement in it had failed.
function methods.commit(self)
    local result = core.exec(self, 'commit')
    if result.tag ~= 'COMMIT' then
        core.raise('25P02', 'the transaction of the background session was rolled back',
            'A statement in it had failed before the commit.')
    end
    return result
end

function methods.rollback(self)
    return (core.exec(self, 'rollback'))
end

local guard_metatable = {
    -- May run while an error of the server is pending.
    __close = function(guard)
        if not guard.done then core.post(guard.session, guard.undo) end
    end,
}

local depth = 0

-- How to open, end and undo a piece of work: a transaction, or a savepoint inside one.
local function brackets(self, options)
    core.exec(self, '') -- what was sent before is done now, and the status is true
    if self:status().transaction == 'I' then
        return begin_statement(options, 'atomic'), nil, 'rollback'
    end
    if options ~= nil then
        argcheck.fail('atomic takes no options inside a transaction', 'It is a savepoint there.')
    end
    depth = depth + 1
    local name = 'bg_atomic_' .. depth
    return 'savepoint ' .. name, 'release savepoint ' .. name,
        'rollback to savepoint ' .. name .. '; release savepoint ' .. name
end

-- Runs fn(session) in a transaction of the session, or in a savepoint when one is open: committed
-- when fn returns, undone when it raises. Returns what fn returns.
function methods.atomic(self, fn, options)
    argcheck.callback(fn, 'the argument of atomic')
    local open, close, undo = brackets(self, options)
    -- From now on: a wait for `open` that is cancelled must not leave it open.
    local guard <close> = setmetatable({session = self, undo = undo}, guard_metatable)
    core.exec(self, open)
    local results = table.pack(fn(self))
    if close then
        core.exec(self, close)
    else
        guard.done = true -- a commit that fails has rolled back
        methods.commit(self)
    end
    guard.done = true
    return table.unpack(results, 1, results.n)
end

return methods
