-- How a result is printed: as psql shows a table, but bounded. Called with what C++ gives:
--     cell(row, i, limit)  the text of column i, at most so many characters, on one line; '' for NULL
--     width(text)          its number of characters
-- Returns the function that makes the text.
local cell, width = ...

local most_rows, most_columns, cell_limit, line_limit = 20, 50, 40, 160

-- Numbers stand on the right: int8, int2, int4, oid, float4, float8, money, numeric and transactions.
local numeric = {}
for _, oid in ipairs {20, 21, 23, 26, 28, 29, 700, 701, 790, 1700, 5069} do numeric[oid] = true end

-- The columns with their cells, as many as there is room for; true when that is not all.
local function measure(result, rows)
    local columns, used = {}, 0
    for i, definition in ipairs(result.columns) do
        local name = definition.name
        local column = {name = name, width = width(name), right = numeric[definition.oid]}
        for j = 1, rows do
            column[j] = cell(result[j], i, cell_limit)
            column.width = math.max(column.width, width(column[j]))
        end
        used = used + column.width + 3
        if i > 1 and (used > line_limit or i > most_columns) then return columns, true end
        columns[i] = column
    end
    return columns, false
end

local function title(column)
    local left = (column.width - width(column.name)) // 2
    return string.rep(' ', left) .. column.name .. string.rep(' ', column.width - width(column.name) - left)
end

local function padded(column, text, is_last)
    local padding = string.rep(' ', column.width - width(text))
    if column.right then return padding .. text end
    return is_last and text or text .. padding
end

local function line(columns, cut, piece, separator)
    local pieces = {}
    for i, column in ipairs(columns) do pieces[i] = piece(column, i == #columns and not cut) end
    if cut then pieces[#pieces + 1] = '...' end
    return separator == '+' and '-' .. table.concat(pieces, '-+-') .. '-' or ' ' .. table.concat(pieces, ' | ')
end

local function table_text(result)
    local rows = math.min(#result, most_rows)
    local columns, cut = measure(result, rows)
    local lines = {
        line(columns, cut, title) .. ' ',
        line(columns, false, function(column) return string.rep('-', column.width) end, '+') ..
            (cut and '+-----' or ''),
    }
    if #columns == 0 then lines = {'--'} end
    for j = 1, #columns > 0 and rows or 0 do
        lines[#lines + 1] = line(columns, cut, function(column, is_last) return padded(column, column[j], is_last) end)
    end
    if #result > rows then lines[#lines + 1] = ' ...' end
    lines[#lines + 1] = string.format(#result == 1 and '(%d row)' or '(%d rows)', #result)
    return table.concat(lines, '\n')
end

-- Of a result without rows: its tag, after what the command has said.
local function tag_text(result)
    local lines = {}
    local notices = rawget(result, 'notices') or {}
    for i = 1, math.min(#notices, most_rows) do
        lines[i] = string.format('%s:  %s', notices[i].severity:upper(), notices[i].message)
    end
    if #notices > most_rows then lines[#lines + 1] = '...' end
    lines[#lines + 1] = result.tag or ''
    return table.concat(lines, '\n')
end

return function(result)
    return result.columns and table_text(result) or tag_text(result)
end
