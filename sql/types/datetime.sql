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
