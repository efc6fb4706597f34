-- Handing a result on as the rows of the set-returning function that runs.

local core = require 'bg.core'

local return_rows = {}

local function mismatch(message)
    core.raise('42804', message)
end

-- Raises unless the columns of the result are those of the caller's column definition list.
local function check_columns(columns, expected)
    local same = #columns == #expected
    for i = 1, same and #columns or 0 do
        same = same and columns[i].oid == expected[i].oid
    end
    if not same then
        mismatch('remote query result rowtype does not match the specified FROM clause rowtype')
    end
end

local function yield_rows(result, names)
    local n = #names
    for i = 1, result.n do
        local row = result[i]
        if n == 1 then
            coroutine.yield({[names[1]] = row[1]}) -- a value alone could be taken for a row
        else
            coroutine.yield(table.unpack(row, 1, n))
        end
    end
end

-- Yields the rows of a result, which must have the types of the function's result. A result without
-- rows is one row with the command tag.
function return_rows.give(result) -- internal
    local expected = core.expected_columns()
    if not expected then
        core.raise('0A000', 'the running function does not return rows of declared columns')
    end
    if not result.columns then
        if #expected ~= 1 or expected[1].type ~= 'text' then
            mismatch('remote query did not return a result set, but result rowtype is not a ' ..
                'single text column')
        end
        coroutine.yield({[expected[1].name] = result.tag})
        return
    end
    check_columns(result.columns, expected)
    local names = {}
    for i, column in ipairs(expected) do names[i] = column.name end
    yield_rows(result, names)
end

return return_rows
