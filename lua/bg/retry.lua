-- bg.retry: a function, again when it has failed with what may not come again.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local backoff = require 'bg.backoff'
local map_sessions = require 'bg.map_sessions'
local timer = require 'bg.timer'

local ATTEMPTS = 3
local FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5 -- seconds

-- Whoever cancels a statement does not want it again.
local CANCELED = '57014'

local function check_backoff(value, what)
    if argcheck.is_duration(value) or argcheck.is_callable(value) then return value end
    if value == 'exp' or value == 'linear' then return value end
    argcheck.mismatch(what .. " must be a number of seconds, 'exp', 'linear' or a function", value)
end

-- Codes and classes of codes, as keys.
local function code_set(list, what)
    local codes = {}
    for i = 1, #list do
        local code = list[i]
        if type(code) ~= 'string' or #code ~= 2 and #code ~= 5 or code:find('[^%dA-Z]') then
            argcheck.mismatch(what .. ' takes SQLSTATEs and classes of two characters', code)
        end
        if code == CANCELED then
            argcheck.fail(what .. ': 57014 is never tried again', 'It is what a canceled statement raises.')
        end
        codes[code] = true
    end
    return codes
end

-- A function that tells of an error whether it may be tried again.
local function check_on(value, what)
    if argcheck.is_callable(value) then return value end
    if type(value) ~= 'table' then argcheck.mismatch(what .. ' must be a list of SQLSTATEs or a function', value) end
    local codes = code_set(value, what)
    return function(err)
        local sqlstate = map_sessions.sqlstate(err)
        return codes[sqlstate] or codes[sqlstate:sub(1, 2)]
    end
end

local known = {attempts = argcheck.positive, backoff = check_backoff, on = check_on}

local function pause_after(attempt, kind)
    if argcheck.is_callable(kind) then return kind(attempt) end
    return backoff(kind, attempt, math.random(), FIRST_PAUSE, LONGEST_PAUSE)
end

-- Returns what fn(attempt) returns. What a failed attempt has done in this database is undone.
return function(fn, options)
    argcheck.callback(fn, 'the argument of bg.retry')
    local checked = argcheck.options(options, known, 'bg.retry')
    local attempts, may_try_again = checked.attempts or ATTEMPTS, checked.on or map_sessions.is_transient
    local attempt = 1
    while true do
        local results = table.pack(pcall(fn, attempt))
        if results[1] then return table.unpack(results, 2, results.n) end
        local err = results[2]
        if attempt >= attempts or map_sessions.sqlstate(err) == CANCELED or not may_try_again(err) then
            error(core.add_context(err, string.format('attempt %d of bg.retry', attempt)), 0)
        end
        timer.sleep(pause_after(attempt, checked.backoff or 'exp'))
        attempt = attempt + 1
    end
end
