-- Parameters travel typed and in binary; Lua values take the type the statement infers, datums keep theirs.
create type pair as (a int, b text);
create type mood as enum ('sad', 'ok', 'happy');
do language pllua_bg $lua$
    local s <close> = bg.launch()
    local function ask(sql, ...)
        local r = s:exec(sql, ...)
        local out = {}
        for i = 1, #r.columns do out[i] = tostring(r[1][i]) end
        print(table.concat(out, ' | '))
    end
    -- natural types, where the statement does not say
    ask('select pg_typeof($1), pg_typeof($2), pg_typeof($3), pg_typeof($4)', 1, 1.5, true, 'x')
    -- inferred types
    ask('select $1::int2 + 1::int2, $2::numeric(10, 2), $3::text, $4::date', 5, 1.257, 7, '2024-02-29')
    ask('select $1::date + interval $$1 day$$, $2 || $$!$$, not $3, 3 = any ($4)', '2024-02-29', 'hello',
        false, {1, 2, 3})
    ask('select $1 is null, $2::int is null, coalesce($3, $$default$$)', nil, nil, nil)
    ask('select $1::int8, $2::float8, $3::float8, $4::float8', math.maxinteger, 1e308, 0/0 ~= 0/0 and 'NaN', -1/0)
    ask([[select length($1), length($2::bytea), encode($2::bytea, 'hex')]], 'grüße', 'a\0b\xff')
    ask('select $1::mood, $1::mood > $2', 'happy', 'sad')
    ask('select ($1::pair).a, ($1::pair).b', '(5,five)')
    ask('select $1::jsonb -> $2', '{"a": [1, 2]}', 'a')
    ask('select generate_series($1::int, $2::int) offset $3 limit $4', 1, 10, 4, 1)
    print(pcall(s.exec, s, 'select $1::int', 'x'))
    print(pcall(s.exec, s, 'select $1::int2', 70000))
    print(pcall(s.exec, s, 'select $1::int', 1.5))
    print(pcall(s.exec, s, 'select $1', 'a\0b'))
    print(pcall(s.exec, s, 'select $1', '\xff'))
    print(pcall(s.exec, s, 'select $1', function() end))
    print(pcall(s.exec, s, 'select $2', 1))
    print(pcall(s.exec, s, 'select 1; select $1', 1))
    print(s:exec('select $1::text', string.rep('x', 3000000)).value == string.rep('x', 3000000))
$lua$;

-- datums of local queries
do language pllua_bg $$
    local s <close> = bg.launch()
    local row = spi.execute([=[select 12345678901234567890.123456789::numeric as n, date '2024-02-29' as d,
        timestamptz '2024-02-29 12:00+00' as t, interval '1 day 2 hours' as i, array[1, null, 3] as a,
        array[['a', 'b'], ['c', 'd']] as m, '{"k": 1}'::jsonb as j, row(1, 'x')::pair as p, 'ok'::mood as e,
        int4range(1, 5) as r, '\x00ff'::bytea as b, uuid '11111111-2222-3333-4444-555555555555' as u,
        inet '10.0.0.1/8' as inet]=])[1]
    for _, name in ipairs {'n', 'd', 't', 'i', 'a', 'm', 'j', 'p', 'e', 'r', 'u', 'inet'} do
        local r = s:exec('select pg_typeof($1)::text as type, $1::text as text', row[name])
        print(name, r[1].type, r[1].text)
    end
    print(s:exec('select $1::bytea as b', row.b)[1].b == row.b)
    -- from one session to another
    local other <close> = bg.launch()
    local n = other:exec('select 2::numeric / 3 as n').value
    print(tostring(s:exec('select $1 * 3', n).value))
$$;

-- many parameters
do language pllua_bg $$
    local s <close> = bg.launch()
    local values, places = {}, {}
    for i = 1, 1000 do values[i], places[i] = i, '$' .. i end
    print(s:exec('select 0 + ' .. table.concat(places, ' + '), table.unpack(values)).value)
$$;
drop type pair, mood;

-- values nobody asks for are an error, as in spi.execute
do language pllua_bg $$
    local s <close> = bg.launch()
    print(pcall(s.exec, s, 'select 1', 5))
    print(pcall(spi.execute, 'select 1', 5))
    print(s:exec('select $2::int', 1, 2).value)
$$;
