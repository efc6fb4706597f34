-- When a job comes again: `every` is a line of cron with five fields (minute hour day month weekday) or six
-- (with seconds before them), a word such as @daily, or an interval ('10 s', '1 h 30 min').
--
-- Local times are numbers here: seconds since 1970-01-01 00:00 on the clock of the zone. What a zone's clock
-- shows is asked of a zone: zone.to_local(epoch) and zone.to_epoch(local), as `at time zone` in the server.
--
-- When clocks go forward, a time that is left out comes as the server reads it: 02:30 is 03:30. When they go
-- back, a given hour comes once, the first time; a line with '*' as its hour comes in both.

local core = require 'bg.core'
local calendar = require 'bg.jobs.calendar'
local schedule = require 'bg.jobs.schedule'
local sql = require 'bg.jobs.sql'

local cron = {}

local DAY = 86400

-- The rules of a time zone, asked of the server.
local function server_zone(name)
    return {
        to_local = function(epoch)
            return math.floor(sql.execute([[select pg_catalog.date_part('epoch',
                pg_catalog.timezone($2::pg_catalog.text, pg_catalog.to_timestamp($1::pg_catalog.float8)))]],
                epoch, name).value)
        end,
        to_epoch = function(local_time)
            return math.floor(sql.execute([[select pg_catalog.date_part('epoch',
                pg_catalog.timezone($2::pg_catalog.text,
                    pg_catalog.timezone('UTC', pg_catalog.to_timestamp($1::pg_catalog.float8))))]],
                local_time, name).value)
        end,
    }
end

local function day_matches(s, year, month, day, weekday)
    if not s.month[month] then return false end
    local by_date = s.day[day] or s.last_day and day == calendar.days_in(year, month)
    local by_weekday = s.weekday[weekday]
    if s.either_day then return by_date or by_weekday end
    return by_date and by_weekday
end

-- The first time of the day that is not before `from` (seconds of the day), or nil.
local function time_of_day(s, from)
    for hour = from // 3600, 23 do
        if s.hour[hour] then
            local start = hour * 3600
            for minute = math.max(0, from - start) // 60, 59 do
                if s.minute[minute] then
                    local second = s.next_second[math.max(0, from - start - minute * 60)]
                    if second then return start + minute * 60 + second end
                end
            end
        end
    end
end

-- The first local time after `after` at which the schedule comes; nil when it never does.
local function next_local(s, after)
    local from = after + 1
    local number, of_day = from // DAY, from % DAY
    local limit = number + calendar.CYCLE
    while number <= limit do
        local year, month, day = calendar.of_day(number)
        if not s.month[month] then
            number, of_day = number - day + 1 + calendar.days_in(year, month), 0
        else
            local time = day_matches(s, year, month, day, calendar.weekday(number)) and time_of_day(s, of_day)
            if time then return number * DAY + time end
            number, of_day = number + 1, 0
        end
    end
end

-- The first second in (early, late] at which the clock's difference from UTC is that of `late`.
local function find_change(zone, early, late)
    local wanted = zone.to_local(late) - late
    while late - early > 1 do
        local middle = (early + late) // 2
        if zone.to_local(middle) - middle == wanted then late = middle else early = middle end
    end
    return late
end

-- By how much clocks go back.
local BACK = {1800, 3600, 7200}

-- True when the clock has shown the same at or before `after`, an earlier time than epoch.
local function has_been(zone, epoch, after)
    local shown = zone.to_local(epoch)
    for _, seconds in ipairs(BACK) do
        local earlier = epoch - seconds
        if earlier <= after and zone.to_local(earlier) == shown then return true end
    end
    return false
end

local function next_of_schedule(s, after, zone)
    local now = zone.to_local(after)
    local next_time = next_local(s, now)
    if not next_time then return nil end
    local first = after + next_time - now -- were the clock not changed
    if zone.to_local(first) == next_time then
        if s.any_hour or not has_been(zone, first, after) then return first end
        return next_of_schedule(s, first, zone)
    end
    local epoch = zone.to_epoch(next_time)
    if s.any_hour and epoch - after > next_time - now then
        local change = find_change(zone, after, epoch)
        local shown = zone.to_local(change)
        local again = next_local(s, shown - 1)
        if change + again - shown < epoch then return change + again - shown end
    end
    return epoch
end

-- The first time after `after` (seconds since the epoch, as what is returned). `base`: where intervals are counted
-- from, `after` when not given. Errors: 22023, with the position; 22008.
function cron.next(text, after, timezone, base, zone) -- internal
    local s = schedule.parse(text)
    if after - after ~= 0 then core.raise('22008', 'what recurs needs a time that is finite') end
    after = math.floor(after)
    if s.interval then
        base = base and math.floor(base) or after
        return base + ((after - base) // s.interval + 1) * s.interval
    end
    local epoch = next_of_schedule(s, after, zone or server_zone(timezone))
    if not epoch then
        core.raise('22023', string.format('"%s" never comes', text), 'No month in it has that day.')
    end
    return epoch
end

return cron
