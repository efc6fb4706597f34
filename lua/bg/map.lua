-- bg.map and bg.each: work on items, in several sessions at once.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local task_engine = require 'bg.task_engine'
local work_queue = require 'bg.work_queue'
local pipeline = require 'bg.pipeline'
local launch = require 'bg.launch'
local map_servers = require 'bg.map_servers'
local map_sessions = require 'bg.map_sessions'
local server = require 'bg.server'
local progress = require 'bg.progress'
local wait = require 'bg.wait'

local DEFAULT_WORKERS = 4

local map = {}

local function progress_option(value, what)
    if type(value) == 'boolean' then return value end
    return argcheck.callback(value, what .. ', unless it is a boolean,')
end

local known = {
    workers = argcheck.positive,
    errors = function(value, what) return argcheck.one_of(value, {'raise', 'collect'}, what) end,
    retry = function(value, what) return argcheck.count(value, what, 0) end,
    progress = progress_option,
    snapshot = argcheck.boolean,
    args = argcheck.callback,
    timeout = argcheck.timeout,
    name = launch.options.name,
    database = launch.options.database,
    server = map_servers.option,
    settings = function(value, what)
        launch.options.settings(value, what)
        return value
    end,
}

-- What is told of the items that got an outcome; nil: nothing.
local function reporter(option, shown)
    if option == true then return progress.reporter(shown) end
    if not option then return nil end
    return function(done, total, ended)
        if not ended then option(done, total) end
    end
end

-- What gives the slots of the items as they get an outcome, and why there are no more (nil: they are
-- done, or 'timeout'); and what is to be closed.
local function open(source, work, options, caller)
    local checked = argcheck.options(options, known, caller)
    checked.workers = checked.workers or DEFAULT_WORKERS
    checked.errors = checked.errors or 'raise'
    checked.retry = checked.retry or 0
    checked.deadline = checked.timeout and wait.now() + checked.timeout
    local queue = work_queue(source, caller)
    local title = checked.name or caller
    if checked.progress == true then checked.shown = progress.shown(title, queue.total) end
    local engine = type(work) == 'string' and pipeline or task_engine
    if engine == task_engine then
        argcheck.callback(work, 'the work of ' .. caller .. ', unless it is a statement,')
        if checked.args then
            argcheck.fail('option args is for a statement only', 'A function gets the item itself.')
        end
    end
    local opened
    if checked.server and type(checked.server) ~= 'string' then
        opened = map_servers.new(engine, work, queue, checked, caller)
    else
        map_sessions.keep(checked)
        opened = engine(work, queue, checked, caller)
    end
    local report, done = reporter(checked.progress, checked.shown), 0
    return opened, function()
        local slot, why = opened:next()
        if slot then done = done + 1 end
        if report and (slot or not why) then report(done, queue.total, not slot) end
        return slot, why
    end
end

-- The results in the order of the items; with errors = 'collect' also the errors, by item. nil,
-- 'timeout' when there was no time for all.
local function map_all(source, work, options, caller)
    local opened, next_slot = open(source, work, options, caller)
    local engine <close> = opened
    local results, errors, n = {}, {n = 0}, 0
    while true do
        local slot, why = next_slot()
        if why then return nil, why end
        if not slot then break end
        n = n + 1
        if slot.ok then
            results[slot.index] = slot.value
        else
            errors[slot.index] = slot.value
            errors.n = errors.n + 1
        end
    end
    results.n = n
    engine:finish()
    return results, options and options.errors == 'collect' and errors or nil
end

function map.map(source, work, options)
    return map_all(source, work, options, 'bg.map')
end

-- An item of bg.on_all.
local place_metatable = {
    __tostring = function(place) return server.shown(place.server) end,
}

-- Runs the statement on each of the servers at once: the results in the order of the list.
function map.on_all(servers, sql, ...)
    argcheck.text(sql, 'the statement')
    local args, places = table.pack(...), {}
    for i, text in ipairs(server.list(servers, 'the servers')) do
        places[i] = setmetatable({server = text}, place_metatable)
    end
    local function run(session) return session:exec(sql, table.unpack(args, 1, args.n)) end
    local function home(place) return place.server end
    return map_all(places, run, {server = home, workers = 1}, 'bg.on_all')
end

-- Iterates over result, item, place, error as the items get done. The result is false where there is
-- none.
function map.each(source, work, options)
    local opened, next_slot = open(source, work, options, 'bg.each')
    return function()
        local slot, why = next_slot()
        if why then core.raise('57014', 'bg.each is canceled due to its timeout') end
        if not slot then
            opened:finish()
            return nil
        end
        if not slot.ok then return false, slot.item, slot.index, slot.value end
        local result = slot.value
        if result == nil then result = false end
        return result, slot.item, slot.index
    end, nil, nil, opened
end

return map
