-- Days of the Gregorian calendar by number; day 0 is 1970-01-01.

local calendar = {
    CYCLE = 146097, -- days after which everything comes again
}

local LENGTHS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

function calendar.days_in(year, month) -- internal
    local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    return month == 2 and is_leap and 29 or LENGTHS[month]
end

-- Years of the calendar begin in March here, so that the day of a leap year is the last of one.
local FIRST_OF_MARCH_0 = -719468

-- The number of a day.
function calendar.number(year, month, day) -- internal
    local years = month > 2 and year or year - 1
    local months = (month + 9) % 12
    return FIRST_OF_MARCH_0 + years * 365 + years // 4 - years // 100 + years // 400 + (months * 153 + 2) // 5 + day - 1
end

-- Year, month and day of the number.
function calendar.of_day(number) -- internal
    local days = number - FIRST_OF_MARCH_0
    local cycle, day = days // calendar.CYCLE, days % calendar.CYCLE
    local years = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day = day - (years * 365 + years // 4 - years // 100)
    local months = (day * 5 + 2) // 153
    local month = (months + 2) % 12 + 1
    return cycle * 400 + years + (month <= 2 and 1 or 0), month, day - (months * 153 + 2) // 5 + 1
end

-- 0: Sunday.
function calendar.weekday(number) -- internal
    return (number + 4) % 7
end

return calendar
