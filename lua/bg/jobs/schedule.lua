-- The text of `every` (cron.lua) as sets of the minutes, hours, ... at which it comes, or as an interval.

local core = require 'bg.core'

local schedule = {}

local MONTHS = {
    jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12,
}
local WEEKDAYS = {sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6}

local FIELDS = {
    {name = 'second', least = 0, most = 59},
    {name = 'minute', least = 0, most = 59},
    {name = 'hour', least = 0, most = 23},
    {name = 'day', least = 1, most = 31},
    {name = 'month', least = 1, most = 12, words = MONTHS},
    {name = 'weekday', least = 0, most = 7, words = WEEKDAYS},
}

local WORDS = {
    ['@yearly'] = '0 0 1 1 *', ['@annually'] = '0 0 1 1 *', ['@monthly'] = '0 0 1 * *', ['@weekly'] = '0 0 * * 0',
    ['@daily'] = '0 0 * * *', ['@midnight'] = '0 0 * * *', ['@hourly'] = '0 * * * *',
}

local UNITS = {
    s = 1, sec = 1, secs = 1, second = 1, seconds = 1, m = 60, min = 60, mins = 60, minute = 60, minutes = 60,
    h = 3600, hour = 3600, hours = 3600, d = 86400, day = 86400, days = 86400,
    w = 604800, week = 604800, weeks = 604800,
}

local FORMS = "It is a line of cron with five or six fields such as '*/5 * * * *', an interval such as '10 s', "
    .. 'or one of @hourly, @daily, @weekly, @monthly and @yearly.'

local function fail(text, position, why, ...)
    core.raise('22023', string.format('every "%s" is no schedule: ', core.clip(text, 100)) .. string.format(why, ...)
        .. string.format(' (at character %d)', position), FORMS)
end

-- One number or name of a field, which stands at `position` of the text.
local function value_of(text, field, word, position)
    local value = field.words and field.words[word:lower()] or word:match('^%d%d?$') and tonumber(word)
    if not value then fail(text, position, '"%s" is no %s', core.clip(word, 20), field.name) end
    if value < field.least or value > field.most then
        fail(text, position, '%s %s is not between %d and %d', field.name, word, field.least, field.most)
    end
    return value
end

-- First, last and step of one element of a list: '*', '7', '1-5', '*/10', '1-30/2', '5/15'.
local function range_of(text, field, element, position)
    local range, step = element:match('^([^/]*)/(.*)$')
    if range and not (step:match('^%d%d?$') and tonumber(step) > 0) then
        fail(text, position + #range + 1, '"%s" is no step', core.clip(step, 20))
    end
    if step and tonumber(step) > field.most - field.least then
        fail(text, position + #range + 1, 'the step %s is longer than all of the field %s', step, field.name)
    end
    range = range or element
    if range == '*' then return field.least, field.name == 'weekday' and 6 or field.most, tonumber(step or 1) end
    local first, last = range:match('^([^-]*)-(.*)$')
    if not first then
        local value = value_of(text, field, range, position)
        return value, step and field.most or value, tonumber(step or 1)
    end
    local from, to = value_of(text, field, first, position), value_of(text, field, last, position + #first + 1)
    if from > to then fail(text, position, 'the range %s goes backward', core.clip(range, 20)) end
    return from, to, tonumber(step or 1)
end

-- The set of values of a field.
local function parse_field(text, field, word, position)
    local set, is_last = {}, false
    for offset, element in (word .. ','):gmatch('()([^,]*),') do
        local at = position + offset - 1
        if element == '' then fail(text, at, 'a value of the field %s is missing', field.name) end
        if field.name == 'day' and element:upper() == 'L' then
            is_last = true
        else
            local first, last, step = range_of(text, field, element, at)
            for value = first, last, step do set[field.name == 'weekday' and value % 7 or value] = true end
        end
    end
    return set, is_last
end

local function parse_interval(text)
    local seconds, position = 0, 1
    while true do
        local number, space, unit, rest = text:match('^%s*(%d+)(%s*)(%a*)%s*()', position)
        if not number then break end
        if #number > 9 then fail(text, position, 'it is too long') end
        if not UNITS[unit:lower()] then
            local why = unit == '' and 'a unit is missing' or '"%s" is no unit'
            fail(text, position + #number + #space, why, core.clip(unit, 20))
        end
        seconds = seconds + tonumber(number) * UNITS[unit:lower()]
        position = rest
    end
    if position <= #text then fail(text, position, 'a number with a unit is expected') end
    if seconds < 1 then fail(text, 1, 'it is shorter than a second') end
    if seconds > 100 * 366 * 86400 then fail(text, 1, 'it is longer than a hundred years') end
    return {interval = seconds}
end

-- Which second of a minute comes next, for each second: itself, when it is one.
local function next_seconds(set)
    local following, next_one = {}, nil
    for second = 59, 0, -1 do
        if set[second] then next_one = second end
        following[second] = next_one
    end
    return following
end

local function parse_line(text, line, words, positions)
    if #words ~= 5 and #words ~= 6 then
        fail(text, 1, 'a line of cron has five fields, or six with seconds, not %d', #words)
    end
    local s, first = {second = {[0] = true}}, #FIELDS - #words
    for i, word in ipairs(words) do
        local field = FIELDS[first + i]
        local set, is_last = parse_field(line, field, word, positions[i])
        s[field.name] = set
        if field.name == 'day' then s.last_day = is_last end
    end
    s.next_second = next_seconds(s.second)
    s.any_hour = words[#words - 3] == '*'
    -- As cron has it: of two that are given, either will do.
    s.either_day = words[#words - 2]:sub(1, 1) ~= '*' and words[#words]:sub(1, 1) ~= '*'
    return s
end

-- What the text says. Errors: 22023.
function schedule.parse(text) -- internal
    local line = WORDS[text:lower():match('^%s*(@%a+)%s*$')] or text
    if line:match('^%s*@') then fail(text, 1, 'there is no such word') end
    local words, positions = {}, {}
    for position, word in line:gmatch('()(%S+)') do
        words[#words + 1], positions[#positions + 1] = word, position
        if #words > 40 then break end
    end
    if #words == 0 then fail(text, 1, 'it is empty') end
    if line:match('^%s*%d+%s*%a') then return parse_interval(text) end -- hours and days have no names
    return parse_line(text, line, words, positions)
end

return schedule
