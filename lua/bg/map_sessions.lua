-- The sessions that bg.map and bg.each work with: how they are started, put right after an error,
-- and let go.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local session = require 'bg.session'

local map_sessions = {
    -- How long whoever has found no room for a session waits before he looks again, in seconds.
    RETRY = 0.1,
}

local keeper_metatable = {
    __close = function(guard)
        if guard.session then core.close(guard.session) end
    end,
}

-- On another server one session more keeps the snapshot that all those of a map there begin with, as this
-- statement does for those here. It is opened before the first of them.
function map_sessions.keep(options, slot_wait) -- internal
    if options.keeper or not options.snapshot or not options.server then return end
    local guard <close> = setmetatable({}, keeper_metatable)
    guard.session = session.launch{
        name = options.name,
        settings = options.settings,
        server = options.server,
        on_exit = 'cancel',
        wait = slot_wait,
    }
    guard.session:begin{isolation = 'repeatable read'}
    options.keeper, guard.session = guard.session, nil
end

function map_sessions.end_keeping(options) -- internal
    if options.keeper then core.close(options.keeper) end
    options.keeper = nil
end

local function start(options, launch, asks_again)
    map_sessions.keep(options, launch.wait)
    launch.snapshot = options.keeper or options.snapshot
    local handle = session.launch(launch, asks_again)
    if handle and options.shown then options.shown:add(handle) end
    return handle
end

-- Starts a session. For another than the only one, nil when there is no room for one more now, or
-- somebody waits for a slot: fewer sessions do the work, too.
function map_sessions.launch(options, is_only) -- internal
    if options.first then
        local first = options.first
        options.first = nil
        return first
    end
    local launch = {
        name = options.name,
        settings = options.settings,
        database = options.database,
        server = options.server,
        on_exit = 'cancel',
    }
    if is_only then return start(options, launch) end
    if core.is_slot_awaited() then return nil end
    launch.wait = 0
    local ok, result = pcall(start, options, launch, true)
    if ok then return result end
    if result.sqlstate == '53400' or result.sqlstate == '53000' or result.sqlstate == '53300' then return nil end
    error(result, 0)
end

-- True when nothing is left in a session of what it was given.
function map_sessions.is_free(handle, options) -- internal
    local status = core.status(handle)
    return status.state == 'idle' and (options.snapshot or status.transaction == 'I')
end

function map_sessions.is_gone(handle) -- internal
    return core.status(handle).state == 'gone'
end

-- The SQLSTATE of an error; '' when it has none: user code may raise any value.
function map_sessions.sqlstate(err) -- internal
    local kind = type(err)
    local sqlstate = kind == 'userdata' and err.sqlstate or kind == 'table' and rawget(err, 'sqlstate')
    return type(sqlstate) == 'string' and sqlstate or ''
end

-- Errors that may not come again: a lost session, a conflict with another transaction, lack of
-- something that others use.
local transient_classes = {['08'] = true, ['53'] = true}
local transient = {['40001'] = true, ['40P01'] = true, ['55P03'] = true, ['57P01'] = true}

function map_sessions.is_transient(err) -- internal
    local sqlstate = map_sessions.sqlstate(err)
    return transient[sqlstate] or transient_classes[sqlstate:sub(1, 2)] or false
end

-- An item, for people: its text, of a table that of its fields by name.
local function describe(item)
    local kind = type(item)
    if kind == 'function' or kind == 'thread' then return nil end
    if kind ~= 'table' or getmetatable(item) ~= nil then return argcheck.clip(tostring(item)) end
    local fields = {}
    for name, value in pairs(item) do
        if type(value) == 'table' then return nil end
        fields[#fields + 1] = string.format('%s = %s', name, value)
    end
    table.sort(fields)
    return argcheck.clip(table.concat(fields, ', '))
end

-- What is said of an error that belongs to an item.
function map_sessions.in_item(err, slot, caller) -- internal
    local ok, text = (lpcall or pcall)(describe, slot.item)
    local which = ok and text and string.format(' (%s)', text) or ''
    return core.add_context(err, string.format('item %d%s of %s', slot.index, which, caller))
end

-- Lets a session go that has done its work. One with a snapshot is in a transaction from its start.
function map_sessions.finish(handle, options) -- internal
    if options.snapshot and core.status(handle).transaction == 'T' then handle:commit() end
    core.close(handle)
end

return map_sessions
