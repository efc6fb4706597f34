-- bg.map and bg.each: work on items, in several sessions at once.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local task_engine = require 'bg.task_engine'
local work_queue = require 'bg.work_queue'
local pipeline = require 'bg.pipeline'

local DEFAULT_WORKERS = 4

local map = {}

local function progress(value, what)
    if type(value) == 'boolean' then return value end
    return argcheck.callback(value, what .. ', unless it is a boolean,')
end

local known = {
    workers = argcheck.positive,
    errors = function(value, what) return argcheck.one_of(value, {'raise', 'collect'}, what) end,
    retry = function(value, what) return argcheck.count(value, what, 0) end,
    progress = progress,
    snapshot = argcheck.boolean,
    args = argcheck.callback,
}

-- What gives the slots of the items as they get an outcome; to be closed.
local function open(source, work, options, caller)
    local checked = argcheck.options(options, known, caller)
    checked.workers = checked.workers or DEFAULT_WORKERS
    checked.errors = checked.errors or 'raise'
    checked.retry = checked.retry or 0
    local queue = work_queue(source, caller)
    local engine = type(work) == 'string' and pipeline or task_engine
    if engine == task_engine then
        argcheck.callback(work, 'the work of ' .. caller .. ', unless it is a statement,')
        if checked.args then
            argcheck.fail('option args is for a statement only', 'A function gets the item itself.')
        end
    end
    local opened = engine(work, queue, checked, caller)
    local report = checked.progress
    if report == true then report = core.report_progress end
    return opened, function()
        local slot = opened:next()
        if slot and report then
            opened.reported = (opened.reported or 0) + 1
            report(opened.reported, queue.total)
        end
        return slot
    end
end

-- The results in the order of the items; with errors = 'collect' also the errors, by item.
function map.map(source, work, options)
    local opened, next_slot = open(source, work, options, 'bg.map')
    local engine <close> = opened
    local results, errors, n = {}, {n = 0}, 0
    for slot in next_slot do
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

-- Iterates over result, item, place, error as the items get done. The result is false where there is
-- none.
function map.each(source, work, options)
    local opened, next_slot = open(source, work, options, 'bg.each')
    return function()
        local slot = next_slot()
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
