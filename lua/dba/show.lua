-- Lines for people: the plan of a dry run, and how far a run is.

local argcheck = require 'bg.argcheck'
local bar = require 'bg.progress'

local show = {}

local MOST = 3 -- items that are named in a line

local UNITS = {'kB', 'MB', 'GB', 'TB'}

function show.size(bytes) -- internal
    local unit = 'bytes'
    for _, larger in ipairs(UNITS) do
        if bytes < 10240 then break end
        bytes, unit = bytes / 1024, larger
    end
    return string.format('%.0f %s', bytes, unit)
end

-- The lines of a plan, in the order in which items begin.
function show.plan(items) -- internal
    local lines = {}
    for i, item in ipairs(items) do
        local notes = {}
        if item.size then notes[#notes + 1] = show.size(item.size) end
        local before = {}
        for j, other in ipairs(item.after or {}) do before[j] = other.item end
        if #before > 0 then notes[#notes + 1] = 'after ' .. table.concat(before, ' and ') end
        if item.refused then notes[#notes + 1] = 'not run: ' .. item.refused.message end
        local note = #notes > 0 and string.format('  -- %s', table.concat(notes, ', ')) or ''
        lines[i] = (item.plan or item.statement) .. note
    end
    return lines
end

-- One line: how many are done of so many after that time in seconds, and the names of those that run.
function show.progress(title, done, total, seconds, ended, running) -- internal
    local line = bar.line(title, done, total, seconds, ended)
    if #running == 0 then return line end
    local names = {}
    for i = 1, math.min(MOST, #running) do names[i] = argcheck.clip(running[i]) end
    if #running > MOST then names[#names + 1] = string.format('%d more', #running - MOST) end
    return string.format('%s; %s', line, table.concat(names, ', '))
end

return show
