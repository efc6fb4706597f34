-- What follows when a job has failed.

local core = require 'bg.core'
local backoff = require 'bg.backoff'

local outcome = {
    ATTEMPTS = 25,
    MOST_CRASHES = 3,
    AFTER_CRASH = 2.0, -- seconds
}

local FIRST_DELAY = 10
local LONGEST_DELAY = 6 * 3600

-- Conflicts with other transactions: likely to be gone at the next try.
local CONFLICTS = {['40001'] = true, ['40P01'] = true}
local MOST_CONFLICTS = 3

-- Errors of the text of a statement, of rights, and of what cannot be where it is (in a transaction, in a function):
-- the next try would fail in the same way.
local LASTING = {['25001'] = true, ['0A000'] = true, ['2D000'] = true}

local function is_lasting(sqlstate)
    return LASTING[sqlstate] or sqlstate:sub(1, 2) == '42'
end

-- Seconds until the next try after `failed` tries; chance: of 0 to 1.
function outcome.backoff(kind, failed, chance) -- internal
    return backoff(kind, failed, chance, FIRST_DELAY, LONGEST_DELAY)
end

-- What becomes of a job:
--     'again'          it runs again at once, and this try does not count
--     'retry', delay   after so many seconds
--     'fail'           never again
-- job: attempt, conflicts (how often it has run again at once); error: sqlstate; policy: attempts and backoff, as
-- the options say, or nil.
function outcome.decide(job, err, policy, chance) -- internal
    local sqlstate = err.sqlstate or ''
    if CONFLICTS[sqlstate] and (job.conflicts or 0) < MOST_CONFLICTS then return 'again' end
    if is_lasting(sqlstate) and not policy.attempts then return 'fail' end
    local failed = job.attempt + 1
    if failed >= (policy.attempts or outcome.ATTEMPTS) then return 'fail' end
    return 'retry', outcome.backoff(policy.backoff, failed, chance)
end

local FIELDS = {'message', 'detail', 'hint', 'context', 'schema', 'table', 'column', 'datatype', 'constraint'}
local LONGEST_TEXT = 4000

-- The error as it is kept with the job. `err`: an error of a session, or any other value.
function outcome.entry(job, err) -- internal
    local entry = {attempt = job.attempt + 1, sqlstate = '38000'}
    if type(err) == 'string' then
        entry.message = core.clip(err, LONGEST_TEXT)
        return entry
    end
    entry.sqlstate = err.sqlstate
    for _, name in ipairs(FIELDS) do
        local text = err[name]
        if text ~= nil then entry[name] = core.clip(tostring(text), LONGEST_TEXT) end
    end
    return entry
end

return outcome
