-- When jobs come again: lines of cron, words, intervals, and clocks that change.
local lu = require 'luaunit'
require 'fake_core'
local calendar = require 'bg.jobs.calendar'
local cron = require 'bg.jobs.cron'

local HOUR = 3600

-- '2026-03-29 01:30:00' as seconds, as if it were UTC.
local function seconds(text)
    local year, month, day, hour, minute, second = text:match('^(%d+)-(%d+)-(%d+) (%d+):(%d+):?(%d*)$')
    return calendar.number(tonumber(year), tonumber(month), tonumber(day)) * 86400 + hour * HOUR + minute * 60
        + (tonumber(second) or 0)
end

local function text_of(time)
    local year, month, day = calendar.of_day(time // 86400)
    local second = time % 86400
    return string.format('%04d-%02d-%02d %02d:%02d:%02d', year, month, day,
        second // HOUR, second // 60 % 60, second % 60)
end

-- A zone that is an hour ahead of UTC, two in summer; the server reads times that are left out or come twice by the
-- time of winter.
local function summer_zone(from, to, winter, change)
    local zone = {}
    local function offset(epoch) return epoch >= from and epoch < to and winter + change or winter end
    function zone.to_local(epoch) return epoch + offset(epoch) end
    function zone.to_epoch(time)
        local epoch = time - winter
        if epoch >= from and epoch < to and (epoch - change < from or epoch >= to) then return epoch end
        if zone.to_local(epoch - change) == time and zone.to_local(epoch) ~= time then return epoch - change end
        return epoch
    end
    return zone
end

local utc = {to_local = function(t) return t end, to_epoch = function(t) return t end}
local berlin = summer_zone(seconds '2026-03-29 01:00', seconds '2026-10-25 01:00', HOUR, HOUR)
local howe = summer_zone(seconds '2026-03-29 01:00', seconds '2026-10-25 01:00', HOUR, HOUR // 2)

local function next_of(every, after, zone)
    return text_of(cron.next(every, seconds(after), nil, nil, zone or utc))
end

TestCron = {}

-- every, after, what follows; UTC.
local TIMES = {
    {'* * * * *', '2026-01-01 00:00:00', '2026-01-01 00:01:00'},
    {'* * * * *', '2026-01-01 00:00:59', '2026-01-01 00:01:00'},
    {'* * * * *', '2026-12-31 23:59:00', '2027-01-01 00:00:00'},
    {'*/5 * * * *', '2026-01-01 00:02:00', '2026-01-01 00:05:00'},
    {'*/5 * * * *', '2026-01-01 00:05:00', '2026-01-01 00:10:00'},
    {'*/7 * * * *', '2026-01-01 00:56:00', '2026-01-01 01:00:00'},
    {'5/15 * * * *', '2026-01-01 00:21:00', '2026-01-01 00:35:00'},
    {'0 3 * * *', '2026-01-01 03:00:00', '2026-01-02 03:00:00'},
    {'0 3 * * *', '2026-01-01 02:59:59', '2026-01-01 03:00:00'},
    {'30 22-23 * * *', '2026-01-01 22:30:00', '2026-01-01 23:30:00'},
    {'0,15,45 8 * * *', '2026-01-01 08:15:00', '2026-01-01 08:45:00'},
    {'0-10/5 * * * *', '2026-01-01 00:06:00', '2026-01-01 00:10:00'},
    {'1-3,7 * * * *', '2026-01-01 00:03:30', '2026-01-01 00:07:00'},
    {'0 0 1 * *', '2026-01-15 00:00:00', '2026-02-01 00:00:00'},
    {'0 0 31 * *', '2026-02-01 00:00:00', '2026-03-31 00:00:00'},
    {'0 0 29 2 *', '2026-01-01 00:00:00', '2028-02-29 00:00:00'},
    {'0 0 29 2 *', '2096-03-01 00:00:00', '2104-02-29 00:00:00'},
    {'0 0 L * *', '2026-02-01 00:00:00', '2026-02-28 00:00:00'},
    {'0 0 L 2 *', '2028-02-01 00:00:00', '2028-02-29 00:00:00'},
    {'0 0 15,L * *', '2026-04-15 00:00:00', '2026-04-30 00:00:00'},
    {'0 9 * * 1', '2026-01-01 00:00:00', '2026-01-05 09:00:00'},
    {'0 9 * * mon-fri', '2026-01-02 09:00:00', '2026-01-05 09:00:00'},
    {'0 9 * * sun', '2026-01-01 00:00:00', '2026-01-04 09:00:00'},
    {'0 9 * * 7', '2026-01-01 00:00:00', '2026-01-04 09:00:00'},
    {'0 9 * * 5-7', '2026-01-03 09:00:00', '2026-01-04 09:00:00'},
    {'0 9 * * Sat,Sun', '2026-01-03 09:00:00', '2026-01-04 09:00:00'},
    {'0 0 * jun,DEC *', '2026-01-01 00:00:00', '2026-06-01 00:00:00'},
    {'0 0 * 2-3 *', '2026-03-31 00:00:00', '2027-02-01 00:00:00'},
    {'0 0 13 * fri', '2026-01-10 00:00:00', '2026-01-13 00:00:00'}, -- the 13th, or a Friday
    {'0 0 13 * fri', '2026-01-13 00:00:00', '2026-01-16 00:00:00'},
    {'0 0 */2 * fri', '2026-01-02 00:00:00', '2026-01-09 00:00:00'}, -- a Friday that is an odd day
    {'*/10 * * * * *', '2026-01-01 00:00:05', '2026-01-01 00:00:10'},
    {'30 0 12 * * *', '2026-01-01 12:00:29', '2026-01-01 12:00:30'},
    {'15,45 59 23 31 12 *', '2026-12-31 23:59:15', '2026-12-31 23:59:45'},
    {'@hourly', '2026-01-01 00:00:00', '2026-01-01 01:00:00'},
    {' @Daily ', '2026-01-01 00:00:00', '2026-01-02 00:00:00'},
    {'@midnight', '2026-01-01 12:00:00', '2026-01-02 00:00:00'},
    {'@weekly', '2026-01-01 00:00:00', '2026-01-04 00:00:00'},
    {'@monthly', '2026-01-31 00:00:00', '2026-02-01 00:00:00'},
    {'@yearly', '2026-01-01 00:00:00', '2027-01-01 00:00:00'},
    {'@annually', '2026-05-01 00:00:00', '2027-01-01 00:00:00'},
    {'10 s', '2026-01-01 00:00:05', '2026-01-01 00:00:15'},
    {'1 h 30 min', '2026-01-01 00:00:00', '2026-01-01 01:30:00'},
    {'1d', '2026-01-01 12:00:00', '2026-01-02 12:00:00'},
    {'2 Weeks', '2026-01-01 00:00:00', '2026-01-15 00:00:00'},
}

function TestCron:test_times()
    for _, case in ipairs(TIMES) do
        lu.assertEquals(case[1] .. ' ' .. next_of(case[1], case[2]), case[1] .. ' ' .. case[3])
    end
end

-- Clocks go forward at 02:00 (UTC 01:00) on 2026-03-29 and back at 03:00 (UTC 01:00) on 2026-10-25. All in UTC.
local CHANGES = {
    {'30 1 * * *', '2026-03-28 22:00:00', '2026-03-29 00:30:00', berlin},
    {'30 2 * * *', '2026-03-28 22:00:00', '2026-03-29 01:30:00', berlin}, -- 02:30 is 03:30
    {'30 2 * * *', '2026-03-29 01:30:00', '2026-03-30 00:30:00', berlin},
    {'30 3 * * *', '2026-03-28 22:00:00', '2026-03-29 01:30:00', berlin},
    {'*/10 * * * *', '2026-03-29 00:50:00', '2026-03-29 01:00:00', berlin},
    {'*/10 * * * *', '2026-03-29 01:00:00', '2026-03-29 01:10:00', berlin},
    {'30 2 * * *', '2026-10-24 22:00:00', '2026-10-25 00:30:00', berlin}, -- the first 02:30
    {'30 2 * * *', '2026-10-25 00:30:00', '2026-10-26 01:30:00', berlin}, -- and not the second
    {'30 2 * * *', '2026-10-25 01:15:00', '2026-10-26 01:30:00', berlin},
    {'*/10 * * * *', '2026-10-25 00:50:00', '2026-10-25 01:00:00', berlin}, -- 02:50 and again 02:00
    {'*/10 * * * *', '2026-10-25 01:00:00', '2026-10-25 01:10:00', berlin},
    {'0 * * * *', '2026-10-25 00:00:00', '2026-10-25 01:00:00', berlin},
    {'0 3 * * *', '2026-10-25 00:00:00', '2026-10-25 02:00:00', berlin},
    {'0 12 * * *', '2026-10-24 10:00:00', '2026-10-25 11:00:00', berlin},
    {'*/10 * * * *', '2026-10-25 00:50:00', '2026-10-25 01:00:00', howe},
    {'15 2 * * *', '2026-10-24 22:00:00', '2026-10-25 00:45:00', howe},
    {'15 2 * * *', '2026-10-25 00:46:00', '2026-10-26 01:15:00', howe},
}

function TestCron:test_clocks_that_change()
    for i, case in ipairs(CHANGES) do
        lu.assertEquals(i .. ' ' .. next_of(case[1], case[2], case[4]), i .. ' ' .. case[3])
    end
end

function TestCron:test_every_minute_of_a_day_that_has_25_hours()
    local time, count = seconds '2026-10-24 22:00', 0
    while time < seconds '2026-10-25 23:00' do
        local following = cron.next('* * * * *', time, nil, nil, berlin)
        lu.assertEquals(following, time + 60)
        time, count = following, count + 1
    end
    lu.assertEquals(count, 25 * 60)
end

function TestCron:test_intervals_do_not_drift()
    lu.assertEquals(cron.next('10 s', 1007, nil, 1000), 1010)
    lu.assertEquals(cron.next('10 s', 1010, nil, 1000), 1020)
    lu.assertEquals(cron.next('10 s', 1999.9, nil, 1000), 2000) -- what was missed comes once
    lu.assertEquals(cron.next('10 s', 900, nil, 1000), 910)
end

-- every, what is said, the character.
local ERRORS = {
    {'', 'it is empty', 1},
    {'   ', 'it is empty', 1},
    {'x', 'has five fields, or six with seconds, not 1', 1},
    {'* * * *', 'not 4', 1},
    {'* * * * * * *', 'not 7', 1},
    {'60 * * * *', 'minute 60 is not between 0 and 59', 1},
    {'* 24 * * *', 'hour 24 is not between 0 and 23', 3},
    {'* * 0 * *', 'day 0 is not between 1 and 31', 5},
    {'* * * 13 *', 'month 13', 7},
    {'* * * foo *', '"foo" is no month', 7},
    {'* * * * 8', 'weekday 8', 9},
    {'* * * * mo', '"mo" is no weekday', 9},
    {'1,,2 * * * *', 'a value of the field minute is missing', 3},
    {'1, * * * *', 'is missing', 3},
    {'*/0 * * * *', '"0" is no step', 3},
    {'*/x * * * *', '"x" is no step', 3},
    {'*/70 * * * *', 'the step 70 is longer than all of the field minute', 3},
    {'* 1-5/24 * * *', 'the step 24 is longer', 7},
    {'* * */100 * *', '"100" is no step', 7},
    {'5-1 * * * *', 'the range 5-1 goes backward', 1},
    {'* 1-x * * *', '"x" is no hour', 5},
    {'* 1- * * *', '"" is no hour', 5},
    {'* L * * *', '"L" is no hour', 3},
    {'-5 * * * *', '"" is no minute', 1},
    {'1.5 * * * *', '"1.5" is no minute', 1},
    {'@reboot', 'there is no such word', 1},
    {'10 parsecs', '"parsecs" is no unit', 4},
    {'1 h 30', 'a unit is missing', 7},
    {'1 h x', 'a number with a unit is expected', 5},
    {'0 s', 'shorter than a second', 1},
    {'9999999999 s', 'it is too long', 1},
    {'101 years', '"years" is no unit', 5},
    {'5300 weeks', 'longer than a hundred years', 1},
}

function TestCron:test_errors()
    for _, case in ipairs(ERRORS) do
        local ok, err = pcall(cron.next, case[1], 0, nil, nil, utc)
        lu.assertFalse(ok, case[1])
        lu.assertEquals(err.sqlstate, '22023')
        lu.assertStrContains(err.message, case[2])
        lu.assertStrContains(err.message, string.format('(at character %d)', case[3]))
        lu.assertStrContains(err.hint, '*/5 * * * *')
    end
end

function TestCron:test_never()
    local ok, err = pcall(cron.next, '0 0 30 2 *', 0, nil, nil, utc)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, 'never comes')
end

function TestCron:test_days()
    for _, number in ipairs {-719468, -1, 0, 59, 60, 10956, 11016, 20000, 47540} do
        lu.assertEquals(calendar.number(calendar.of_day(number)), number)
    end
    lu.assertEquals({calendar.of_day(11016)}, {2000, 2, 29})
    lu.assertEquals(calendar.weekday(0), 4)
end

os.exit(lu.LuaUnit.run())
