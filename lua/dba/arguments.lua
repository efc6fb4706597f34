-- Checks of the arguments that the tools have in common, and the beginning and end of each.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'

local arguments = {}

-- Ends the transaction of the caller: nobody may have a snapshot, or a lock, while sessions work.
function arguments.begin(caller) -- internal
    local ok, err = lpcall(spi.commit)
    if ok then return end
    if err.sqlstate ~= '2D000' then error(err, 0) end
    core.raise('25001', caller .. ' cannot run inside a transaction block',
        'It commits, so that sessions can work: call it by itself, not between BEGIN and COMMIT or from a function.')
end

-- A list of texts, from an array.
function arguments.list(array, what) -- internal
    if array == nil then argcheck.mismatch(what .. ' must be an array', array) end
    local list = {}
    for i, row in ipairs(spi.execute('select pg_catalog.unnest($1::pg_catalog.text[]) as text', array)) do
        list[i] = argcheck.text(row.text, 'each of ' .. what)
    end
    return list
end

-- An interval in seconds; nil for none.
function arguments.seconds(interval, what) -- internal
    if interval == nil then return nil end
    local row = spi.execute('select extract(epoch from $1::interval)::pg_catalog.float8 as seconds', interval)[1]
    if row.seconds < 0 then argcheck.fail(what .. ' may not be negative') end
    return row.seconds
end

-- Keys become texts that are read the same whatever the settings of a session are, to the end of this transaction.
function arguments.set_formats() -- internal
    spi.execute([[
        select pg_catalog.set_config('datestyle', 'ISO', true),
            pg_catalog.set_config('intervalstyle', 'postgres', true),
            pg_catalog.set_config('extra_float_digits', '3', true)]])
end

function arguments.as_text(key) -- internal
    if math.type(key) == 'float' then return string.format('%.17g', key) end
    return tostring(key)
end

-- Fails for a role that does not see what is to be looked at.
function arguments.reads_statistics(what) -- internal
    local row = spi.execute("select pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as may")[1]
    if row.may then return end
    core.raise('42501', what .. ' is for roles that may read all statistics', 'Have pg_read_all_stats granted.')
end

-- The options of run() for a tool: those that every tool has. Without workers where that may be.
function arguments.common(given, caller, workers_elsewhere) -- internal
    local options = {caller = caller}
    if not (workers_elsewhere and given.workers == nil) then
        options.workers = argcheck.positive(given.workers, 'workers')
    end
    options.dry_run = argcheck.boolean(given.dry_run, 'dry_run')
    options.progress = argcheck.boolean(given.progress, 'progress')
    options.on_error = argcheck.one_of(given.on_error, {'collect', 'stop'}, 'on_error')
    return options
end

return arguments
