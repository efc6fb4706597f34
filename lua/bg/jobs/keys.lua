-- Jobs of one owner with one key: at most one of them waits. Which one, is decided here, when the scheduler learns of
-- a new one; so that whoever submits waits for nobody.

local keys = {}

-- `jobs`: those there are, by id: {id, mode, running}. A list of {id, by} of those that make way, and for what.
--     r (replace)  the new one takes the place of one that waits
--     k (keep)     the new one goes when one waits
--     u (unique)   the new one goes when one waits or runs
function keys.resolve(jobs) -- internal
    local waiting, running, superseded = nil, nil, {}
    for _, job in ipairs(jobs) do
        if job.running then running = job end
    end
    for _, job in ipairs(jobs) do
        if not job.running then
            local mode = job.mode
            local first = waiting or mode == 'u' and running
            if not first then
                waiting = job
            elseif mode == 'k' or mode == 'u' then
                superseded[#superseded + 1] = {id = job.id, by = first.id}
            else
                superseded[#superseded + 1] = {id = first.id, by = job.id}
                waiting = job
            end
        end
    end
    return superseded
end

return keys
