-- Waiting for several: of anything that can be waited for, in any mixture.

local argcheck = require 'bg.argcheck'
local wait = require 'bg.wait'

local combinators = {}

-- The outcome of a settled waitable: true and its value, or false and its error.
local function outcome(object)
    if not object.try then return true, object end
    local value, err = object:try(0)
    if value == nil and err ~= nil then return false, err end
    return true, value
end

local function is_pending(object)
    local session, _, deadline = object:pending()
    return (session or deadline) ~= nil
end

-- Splits the list into those that have settled and those that have not; entries are {object,
-- index}.
local function split(entries)
    local settled, left = {}, {}
    for _, entry in ipairs(entries) do
        local list = is_pending(entry[1]) and left or settled
        list[#list + 1] = entry
    end
    return settled, left
end

-- Gives the members of the list one by one as they settle: object, index. nil, 'timeout' at the
-- limit, nil when none is left.
local function in_order(list, timeout)
    local ready, left, next_ready = {}, {}, 1
    for i = 1, #list do left[i] = {list[i], i} end
    local limit = timeout and wait.now() + timeout
    return function()
        while not ready[next_ready] do
            if #left == 0 then return nil end
            ready, left = split(left)
            next_ready = 1
            if #ready == 0 then
                local objects = {}
                for i, entry in ipairs(left) do objects[i] = entry[1] end
                if not wait.first(objects, limit and math.max(0, limit - wait.now())) then
                    return nil, 'timeout'
                end
            end
        end
        local entry = ready[next_ready]
        next_ready = next_ready + 1
        return entry[1], entry[2]
    end
end

local function cancel_all(list)
    for i = 1, #list do
        if type(list[i].cancel) == 'function' and is_pending(list[i]) then list[i]:cancel() end
    end
end

-- The first of the list that settles and its index; nil, 'timeout' after the timeout.
function combinators.wait(list, timeout)
    wait.check_list(list, 'bg.wait')
    if #list == 0 then argcheck.fail('bg.wait: the list is empty') end
    local index = wait.first(list, argcheck.timeout(timeout, 'timeout'))
    if not index then return nil, 'timeout' end
    return list[index], index
end

-- The results of all, in the order of the list. The first error cancels the rest and is raised.
function combinators.all(list, timeout)
    wait.check_list(list, 'bg.all')
    local results = {n = #list}
    local next_settled = in_order(list, argcheck.timeout(timeout, 'timeout'))
    for _ = 1, #list do
        local object, index = next_settled()
        if not object then return nil, 'timeout' end
        local ok, value = outcome(object)
        if not ok then
            cancel_all(list)
            if value == 'closed' then return nil, 'closed' end
            error(value, 0)
        end
        results[index] = value
    end
    return results
end

-- The first result and its index. When all have failed, the error that came first is raised.
function combinators.any(list, timeout)
    wait.check_list(list, 'bg.any')
    if #list == 0 then argcheck.fail('bg.any: the list is empty') end
    local next_settled = in_order(list, argcheck.timeout(timeout, 'timeout'))
    local first_error
    while true do
        local object, index = next_settled()
        if not object then
            if index == 'timeout' then return nil, 'timeout' end
            if first_error == 'closed' then return nil, 'closed' end
            error(first_error, 0)
        end
        local ok, value = outcome(object)
        if ok then return value, index end
        if first_error == nil or first_error == 'closed' then first_error = value end
    end
end

-- What became of each: {ok = true, value = result} or {ok = false, error = error}. Never raises
-- what they raised.
function combinators.settled(list, timeout)
    wait.check_list(list, 'bg.settled')
    local outcomes = {n = #list}
    for object, index in in_order(list, argcheck.timeout(timeout, 'timeout')) do
        local ok, value = outcome(object)
        outcomes[index] = ok and {ok = true, value = value} or {ok = false, error = value}
    end
    for i = 1, #list do
        outcomes[i] = outcomes[i] or {ok = false, error = 'timeout'}
    end
    return outcomes
end

-- Iterates over the list as its members settle: member, result, error.
function combinators.completed(list, timeout)
    wait.check_list(list, 'bg.completed')
    local next_settled = in_order(list, argcheck.timeout(timeout, 'timeout'))
    return function()
        local object = next_settled()
        if not object then return nil end
        local ok, value = outcome(object)
        if ok then return object, value end
        return object, nil, value
    end
end

return combinators
