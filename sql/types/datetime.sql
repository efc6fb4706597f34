-- Dates, times and intervals: text form, fields, comparison, construction.
create schema types_datetime;
set search_path = types_datetime, public;
set datestyle = 'ISO, MDY';
set intervalstyle = 'postgres';
set timezone = 'Europe/Prague';

do language pllua_bg $$
    local values = {
        pgtype.date '2020-02-29', pgtype.time '13:14:15.123456', pgtype.timetz '13:14:15.123456+02',
        pgtype.timestamp '2020-02-29 13:14:15.123456', pgtype.timestamptz '2020-07-29 13:14:15.123456',
        pgtype.interval '1 year 2 mons 3 days 04:05:06.789', pgtype.date 'infinity', pgtype.timestamp '-infinity',
    }
    local names = {'year', 'month', 'day', 'hour', 'min', 'sec', 'second', 'msec', 'usec', 'epoch', 'epoch_msec',
                   'epoch_usec', 'dow', 'isodow', 'isoyear', 'isoweek', 'week', 'quarter', 'decade', 'century',
                   'millennium', 'julian', 'timezone', 'timezone_hour', 'doy', 'nosuch'}
    for _, v in ipairs(values) do
        print(pgtype(v), tostring(v))
        local weeks = pgtype(v) == pgtype.interval -- differs: an interval has weeks since 18
        local shown, refused = {}, {}
        for _, name in ipairs(names) do
            local ok, field = pcall(function() return v[name] end)
            if name:find 'week$' and weeks then
                assert(ok and field == 0 or field.sqlstate == '0A000')
            elseif ok then
                shown[#shown + 1] = name .. '=' .. tostring(field)
            else
                refused[#refused + 1] = name .. ' ' .. field.sqlstate
            end
        end
        print(table.concat(shown, ' '))
        print(table.concat(refused, ', '))
    end
    for _, v in ipairs(values) do
        local parts = {}
        for name, field in pairs(v:as_table()) do parts[#parts + 1] = name .. '=' .. tostring(field) end
        table.sort(parts)
        print(v, table.concat(parts, ' '))
    end
    print(values[5]:as_table('America/New_York').hour, select(2, pcall(values[5].as_table, values[5], 'nowhere')))
$$;

do language pllua_bg $$
    local d, t = pgtype.date, pgtype.timestamptz
    print(d '2020-01-01' < d '2020-01-02', d '2020-01-01' == d '2020-01-01', d '2020-01-01' <= d '2019-01-01')
    print(t '2020-01-01 00:00+00' == t '2020-01-01 01:00+01', pgtype.interval '1 day' == pgtype.interval '24 hours')
    print(d '2020-01-01' == t '2020-01-01', select(2, pcall(function() return d '2020-01-01' < t '2020-01-01' end)))
    print(select(2, pcall(function() return d '2020-01-01' < 1 end)))
    local ides = d '0044-03-15 BC'
    print(ides.year, ides:as_table().year, pgtype.date(ides:as_table()), pcall(ides.as_table, ides, 'UTC'))
$$;

-- From tables of fields; what is beyond its limit carries over.
do language pllua_bg $$
    print(pgtype.timestamptz{year = 2020, month = 1, day = 2})
    print(pgtype.timestamptz{year = 2020, month = 7, day = 2, hour = 3, min = 4, sec = 5.5, timezone = 'America/New_York'})
    print(pgtype.timestamptz{year = 2020, month = 7, day = 2, timezone = 3600})
    print(pgtype.timestamptz{epoch = 1e9}, pgtype.timestamptz{epoch_usec = 1000000000000001}, pgtype.timestamptz{epoch = 1/0})
    print(pgtype.timestamp{year = 2020, month = 14, day = 31, hour = 25}, pgtype.timestamp{epoch_msec = 1500})
    print(pgtype.date{year = 2020, month = 2, day = 30}, pgtype.date{epoch = -1}, pgtype.date{year = 2020, mon = '3', day = 1.0})
    print(pgtype.date{year = -43, month = 3, day = 15}, pgtype.date{year = 2020, month = 0, day = 1}, pgtype.date{year = 2020, month = -11, day = 1})
    print(pgtype.time{hour = 25}, pgtype.time{hour = 2, min = 1, sec = 2.5}, pgtype.timetz{hour = 2, timezone = 3600})
    print(pgtype.interval{year = 1, month = 14, week = 1, day = 2}, pgtype.interval{hour = 1, msec = 3, usec = 5}, pgtype.interval{})
    for _, bad in ipairs{{year = 2020}, {}, {year = 2020, month = 1.5, day = 1}, {year = 2020, month = 'x', day = 1},
                         {year = 1e9, month = 1, day = 1}, {year = 2020, month = 1, day = 1, timezone = 'nowhere'},
                         {year = 2020, month = 1, day = 1, hour = 1 << 39}, {epoch = 0/0}} do
        local ok, err = pcall(pgtype.timestamptz, bad)
        print(ok, err)
    end
    -- There and back.
    for _, v in ipairs{pgtype.date '1999-12-31', pgtype.time '23:59:59.999999', pgtype.timestamp '0044-03-15 12:00 BC',
                       pgtype.timestamptz '2020-10-25 02:30+02', pgtype.timestamptz '2020-10-25 02:30+01',
                       pgtype.interval '-1 year 2 days -3:04:05.6', pgtype.timetz '12:00-03:30'} do
        print(v, pgtype(v)(v:as_table()) == v)
    end
$$;

-- What a table says counts, whatever fields say it; what contradicts is an error, whatever the type.
create function made(t text, fields text) returns text language pllua_bg as $$
    local ok, made = pcall(pgtype[t], load('return ' .. fields)())
    return ok and tostring(made) or '- ' .. made.errcode .. ': ' .. made.message
$$;
set timezone = 'UTC';
select fields, made('timestamptz', fields) as timestamptz, made('timestamp', fields) as timestamp, made('date', fields) as date,
       made('time', fields) as time, made('timetz', fields) as timetz, made('interval', fields) as interval
from (values (1, '{epoch = 1, msec = 500, usec = 3}'), (2, '{epoch_msec = 1500.5, usec = 4}'), (3, '{epoch = 86399, usec = 1000000}'),
      (4, '{epoch = 0, usec = -1}'), (5, '{epoch = 0, timezone = "America/New_York"}'), (6, '{epoch = 0, timezone = "+03"}'),
      (7, '{epoch = 0, timezone = -3600}'), (8, '{epoch = 1/0}'), (9, '{epoch = 0, day = 1}'), (10, '{epoch = 0, hour = 0}'),
      (11, '{epoch = 0, sec = 0}'), (12, '{epoch = 0, epoch_usec = 0}'), (13, '{epoch_msec = 1, epoch_usec = 1000}'),
      (14, '{year = 2020, month = 1, day = 1, timezone = "+03"}'), (15, '{hour = 1, min = 2, timezone = "-0330"}'),
      (16, '{year = 2020, month = 1, day = 1, hour = 1, timezone = "America/New_York"}'), (17, '{hour = 1, min = 2, timezone = "nowhere"}'),
      (18, '{year = 2020, month = 1, day = 1, hour = 1, timezone = true}'), (19, '{hour = 1, timezone = 57600}'),
      (20, '{year = 2020, month = 1, day = 1, hour = 24}'), (21, '{year = 2020, month = 1, day = 1, hour = 24, min = 1}'),
      (22, '{year = 2020, month = 1, day = 1, hour = -1}'), (23, '{year = 2020, month = 1, day = 1, hour = 0, min = 1440}'),
      (24, '{year = 2020, month = 1, day = 1, hour = 23, min = 59, sec = 60}'), (25, '{year = 300000, month = 2, day = 30}'),
      (26, '{year = 2020, month = 1, day = 1, hour = 1.5}'), (27, '{hour = 1, sec = 2}'), (28, '{min = 1, sec = 2}'), (29, '{}')) t(n, fields)
order by n;
do language pllua_bg $$
    -- A zone in ISO's reading, by name, in seconds; the same in as_table().
    local t = pgtype.timestamptz '2020-07-01 12:00+00'
    for _, zone in ipairs{'+03', '+0300', '-03:30', '+05:30:30', 10800, -12600.0, 0, 'UTC', 'America/New_York', 'UTC+3', '+16', '+03x', '10800', 1e9, 1.5, true, {}} do
        local ok, fields = pcall(t.as_table, t, zone)
        if not ok then
            print(zone == zone and type(zone) ~= 'table' and zone, fields, (select(2, pcall(pgtype.timestamptz, {year = 2020, month = 7, day = 1, timezone = zone}))))
        else
            print(zone, fields.day, fields.hour, fields.min, fields.sec, fields.timezone, fields.timezone_abbrev, fields.isdst, pgtype.timestamptz(fields) == t)
            for _, name in ipairs{'isdst', 'timezone_abbrev'} do fields[name] = nil end
            fields.timezone = zone
            assert(pgtype.timestamptz(fields) == t)
        end
    end
    -- Where clocks are turned.
    spi.execute("set local timezone = 'America/New_York'")
    for _, fields in ipairs{{2020, 11, 1, 1}, {2020, 3, 8, 2}, {2020, 7, 1, 1}, {2020, 1, 1, 1}, {1960, 10, 30, 1}, {-43, 1, 1, 0}} do
        local made = {}
        for i, isdst in ipairs{'none', true, false} do
            local fields = {year = fields[1], month = fields[2], day = fields[3], hour = fields[4], min = 30, sec = 0.25}
            if isdst ~= 'none' then fields.isdst = isdst end
            made[i] = tostring(pgtype.timestamptz(fields))
            fields.timezone = 'America/New_York'
            assert(tostring(pgtype.timestamptz(fields)) == made[i])
        end
        print(table.concat(made, '  '))
    end
    local twice = pgtype.timestamptz '2020-11-01 01:30-04'
    print(pgtype.timestamptz(twice:as_table()), pgtype.timestamptz(twice:as_table('America/New_York')))
    local fields = twice:as_table()
    fields.timezone = nil
    print(pgtype.timestamptz(fields) == twice)
$$;
set timezone = 'Europe/Prague';

-- Fields that are integers are rounded; second and the epochs have their fraction.
do language pllua_bg $$
    for _, v in ipairs{pgtype.time '13:14:15.5235', pgtype.timetz '13:14:15.9995+02:30', pgtype.timestamp '2020-02-29 13:14:15.9995',
                       pgtype.timestamptz '2020-07-29 11:59:59.999999+02', pgtype.timestamp '1960-02-29 11:14:15.4995', pgtype.interval '-04:05:06.7895',
                       pgtype.interval '2.5 sec', pgtype.interval '0.0015 sec', pgtype.timestamp '2020-02-29 00:00:02.5'} do
        local dated = pgtype(v) == pgtype.timestamp or pgtype(v) == pgtype.timestamptz
        print(v, v.sec, v.seconds, v.second, v.msec, v.milliseconds, v.usec, dated and v.julian, v.epoch, v.epoch_msec, v.min, v:as_table().sec)
    end
$$;

-- The text form follows the settings.
create function shown(d date, i interval, f float8[]) returns text language pllua_bg as $$
    return tostring(d) .. ' / ' .. tostring(i) .. ' / ' .. tostring(f)
$$;
select shown('2020-02-01', '1 day 2:03', '{0.1}');
set datestyle = 'German';
set intervalstyle = 'iso_8601';
set extra_float_digits = 0;
select shown('2020-02-01', '1 day 2:03', '{0.1}');
create function next_day(date) returns date language pllua_bg as $$
    local t = (...):as_table()
    t.day = t.day + 1
    return t
$$;
reset datestyle;
set datestyle = 'ISO';
select next_day('2020-02-28'), next_day('2020-12-31');
\set VERBOSITY terse
create function bad_date() returns date language pllua_bg as 'return "yesterdayish"';
select bad_date();
create function number_date() returns date language pllua_bg as 'return 1';
select number_date();
set client_min_messages = warning;
drop schema types_datetime cascade;
