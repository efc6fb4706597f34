-- What test/differential has found, for servers that have no pllua to compare with.
set timezone = 'Europe/Vienna';
-- When a table with numbers as keys is an array: by the first key, and by the last one beside the number of keys.
do language pllua_bg $$
    for _, o in ipairs{{array_thresh = 0}, {array_thresh = 1}, {array_thresh = 3}, {array_frac = 1}, {array_frac = 2}, {array_frac = 3}} do
        print(pgtype.jsonb({[2] = 1}, o), pgtype.jsonb({[3] = 1}, o), pgtype.jsonb({1, [3] = 1}, o), pgtype.jsonb({1, [5] = 1}, o))
    end
    print(#tostring(pgtype.jsonb{[1000] = 1}), pgtype.jsonb{[1001] = 1})
$$;
-- pairs of a scalar gives it once.
do language pllua_bg $$
    for _, s in ipairs{'5', '"x"', 'null', '[1]', '{"a": 1}'} do for k, v in pairs(pgtype.jsonb:fromstring(s)) do print(s, k, v) end end
    print(lpcall(require('pllua.jsonb').ipairs, pgtype.jsonb(5)))
$$;
-- A number that no float can be is an error, an infinity is not.
do language pllua_bg $$
    local ok, err = pcall(function() return pgtype.numeric('1e400'):tonumber() end)
    print(ok, err.sqlstate, (err.message:gsub('0+', '0..')))
    ok, err = pcall(function() return pgtype.jsonb:fromstring('[1, -1e400]'){} end)
    print(ok, err.sqlstate)
    print(pgtype.numeric('infinity'):tonumber(), pgtype.numeric('-infinity'):tonumber(), pgtype.numeric('1e-400'):tonumber())
$$;
-- lpcall catches a text with a wrong encoding.
do language pllua_bg $$
    for _, bytes in ipairs{'\xff', 'abc\xe4', 'a\0b', '\xe2\x82', '\xf0\x28\x8c\x28', 'ok\xc3\x28'} do print(lpcall(pgtype.text, bytes)) end
    print(pgtype.text('grün \u{1F600}'))
$$;
-- An error is not one of success.
do language pllua_bg $$ print(pcall(spi.error, '00000', 'm')) print(pcall(spi.error, 'successful_completion', 'm')) spi.error{sqlstate = '00000', message = 'm'} $$;
-- Types of arguments that are not there.
create function argument_types(a int) returns text language pllua_bg as $$
    print(pgtype(nil, 0):name(), pgtype(nil, 1):name())
    print(lpcall(pgtype, nil, 2))
    print(lpcall(pgtype, nil, -1))
    return "done"
$$;
select argument_types(1);
drop function argument_types(int);
do language pllua_bg $$ print(lpcall(pgtype, nil, 0)) print(lpcall(pgtype, nil, 1)) $$;
-- timezone = true is that of the session, false none.
do language pllua_bg $$
    for _, zone in ipairs{true, false} do
        print(zone, pgtype.timestamptz{year = 2020, month = 7, day = 1, timezone = zone}, pgtype.timestamp{epoch = 0, timezone = zone}, pgtype.date{epoch = 86399, timezone = zone})
        print(pgtype.timestamptz('2020-07-01 00:00+00'):as_table(zone).hour, lpcall(pgtype.timestamp, {year = 2020, month = 7, day = 1, timezone = zone}))
    end
    print(pgtype.timetz{epoch = 3600}, pgtype.timetz{epoch = 3600, timezone = '+02'})
$$;
