-- The rows of bg.last_run: the items of the newest run of this role in this backend. They are in memory, so that
-- those of a run that was canceled are there, and nobody else sees them.

local last_run = {}

local items = {}

function last_run.keep(list) -- internal
    items = list
end

-- An iterator over the rows, as bg.last_run_rows() has them.
function last_run.rows() -- internal
    local i = 0
    return function()
        i = i + 1
        local item = items[i]
        if not item then return nil end
        return {item = item.item, statement = item.statement, ok = item.ok, tag = item.tag, sqlstate = item.sqlstate,
            error = item.error, started = item.started, seconds = item.seconds, pid = item.pid}
    end
end

return last_run
