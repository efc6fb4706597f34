-- Items that have a session each, somewhere else: in item.place are options of its launch.

local core = require 'bg.core'
local scope = require 'bg.scope'
local session = require 'bg.session'
local timer = require 'bg.timer'

local RETRY = 0.1 -- seconds until whoever finds no room for a session looks again

local no_room = {['53000'] = true, ['53300'] = true, ['53400'] = true}

-- A session, or nil and the error. As long as other items have sessions one waits here for room; else in the launch.
local function launch(place, name, held)
    local options = {name = name, on_exit = 'cancel'}
    for key, value in pairs(place) do options[key] = value end
    while true do
        options.wait = held.n > 0 and 0 or nil
        local ok, result = pcall(session.launch, options)
        if ok then return result end
        if held.n == 0 or not no_room[result.sqlstate] then return nil, result end
        timer.sleep(RETRY)
    end
end

local holder_metatable = {
    __close = function(holder)
        if not holder.session then return end
        holder.held.n = holder.held.n - 1
        core.close(holder.session)
    end,
}

-- So many tasks take item after item from `next_item` until it gives nil. attempt(item, open) has it done: it gets the
-- session by open(), else nil and the error. What it raises ends all.
return function(workers, name, next_item, attempt) -- internal
    local held = {n = 0}
    local function take_items()
        for item in next_item do
            local holder <close> = setmetatable({held = held}, holder_metatable)
            attempt(item, function()
                local opened, err = launch(item.place, name, held)
                if not opened then return nil, err end
                holder.session, held.n = opened, held.n + 1
                return opened
            end)
        end
    end
    scope(function(tasks)
        for _ = 1, workers do tasks:go(take_items) end
    end)
end
