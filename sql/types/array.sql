-- Arrays: objects to index, to iterate and to change, plain tables on the way in.
create schema types_array;
set search_path = types_array, public;

create function render(text[]) returns text language pllua_bg as $$
    local a, parts = ..., {}
    for i, v in pairs(a) do parts[#parts + 1] = i .. '=' .. tostring(v) end
    return type(a) .. ' #' .. #a .. ' ' .. table.concat(parts, ' ')
$$;
select render('{a,NULL,"b c"}'), render('{}'), render('[0:1]={x,y}'), render('[-1:0]={x,y}');

do language pllua_bg $$
    local a = spi.execute("select '{1,2,NULL,4}'::int[] as x")[1].x
    print(a[1], a[3], a[4], a[5], a[0], a['1'], a[1.5], a[2.0], #a, a)
    local m = spi.execute("select '{{1,2},{3,4}}'::int[] as x")[1].x
    print(m[1][2], m[2][1], #m, #m[1], m, m[3], m[1][3], m[2]()[1])
    for i, row in pairs(m) do for j, v in pairs(row) do print(i, j, v) end end
    local z = spi.execute("select '[0:2]={5,6,7}'::int[] as x")[1].x
    print(z[0], z[2], z[3], #z, z()[0])
    local v = spi.execute("select '1 2 3'::int2vector as a, '4 5'::oidvector as b")[1]
    print(v.a[0], v.a[2], v.b[1], v.a, v.b)
    local t = spi.execute([[select array[repeat('x', 5000), 'short', null] as x]])[1].x
    print(#t[1], t[2], t[3])
    -- Wide and narrow elements of fixed length, with and without nulls.
    local w = spi.execute([[select '{1,NULL,3}'::int2[] as a, '{t,f}'::bool[] as b, '{1.5,NULL}'::float8[] as c,
                                   '{a,b}'::"char"[] as d, '{abc,NULL,d}'::name[] as e, '{1.5}'::numeric[] as f]])[1]
    print(w.a[1], w.a[2], w.a[3], w.b[1], w.b[2], w.c[1], w.c[2], w.d[2], w.e[1], w.e[3], w.f[1] + 1)
$$;

-- a(), a{map=, null=, discard=}.
do language pllua_bg $$
    local function show(t)
        if type(t) ~= 'table' then return tostring(t) end
        local keys, parts = {}, {}
        for k in pairs(t) do keys[#keys + 1] = k end
        table.sort(keys)
        for _, k in ipairs(keys) do parts[#parts + 1] = k .. '=' .. show(t[k]) end
        return '{' .. table.concat(parts, ' ') .. '}'
    end
    local a = pgtype.array.int4(1, nil, 3)
    local m = pgtype.array.int4({{1, 2}, {3, 4}}, 2, 2)
    print(show(a()), show(a(0)), show(a{null = 'none'}), show(m()), show(pgtype.array.int4()()))
    print(show(a(function(v, array, i) return (v or 10) * i end)))
    print(show(m{map = function(v, array, i, j) return i .. j .. v .. tostring(array == m) end}))
    print(show(a{map = function(v) return v end, null = 5}))
    local sum = 0
    print(select('#', m{map = function(v) sum = sum + v end, discard = true}), sum)
    print(show(m[2]()))
    print(pcall(a, {map = function() error('broken', 0) end}))
$$;

-- Assignment; only an array of one dimension grows.
do language pllua_bg $$
    local a = pgtype.array.int4(1, 2, nil, 4)
    a[1], a[3] = 10, '30'
    print(a, #a)
    a[7] = 70
    print(a, #a)
    a[-1] = -10
    a[2] = nil
    print(a, #a, a[-1], a[1], a[2], a[7])
    local e = pgtype.array.text()
    e[3] = 'c'
    print(e, #e)
    local m = pgtype.array.int4({{1, 2}, {3, 4}}, 2, 2)
    m[1][2] = 22
    print(m)
    for _, f in ipairs{function() a[1] = 'x' end, function() m[3][1] = 1 end, function() m[1] = 5 end,
                       function() a.x = 1 end, function() a[1 << 40] = 1 end, function() a[2000000000] = 1 end,
                       function() local d = a[1][1] end} do
        local ok, err = pcall(f)
        print(ok, type(err) == 'string' and err:gsub('^.-:%d+: ', '') or err)
    end
    print(a == pgtype.array.int4(a), pgtype.array.int4(1, 2) < pgtype.array.int4(1, 3), m == a)
    local r = pgtype.array.text('a', 'b')
    local copy = pgtype.array.text(r)
    r[1] = 'changed'
    print(r, copy)
$$;

-- From plain tables.
create function int_array(int) returns int[] language pllua_bg as $$
    return ({{1, 2, 3}, {}, {1, nil, 3}, {[3] = 3}, {{1, 2}, {3, 4}}, {'1', 2.0}, pgtype.array.int8(5, 6), {n = 1, 7}})[...]
$$;
select i, int_array(i), array_dims(int_array(i)) from generate_series(1, 8) i;
\set VERBOSITY terse
create function bad_array(int) returns int[] language pllua_bg as $$
    return ({{1, 'x'}, {{1, 2}, {3}}, {{1}, 2}, 5, {{{{{{{1}}}}}}}, {1.5}, '{1', print})[...]
$$;
select bad_array(1);
select bad_array(2);
select bad_array(3);
select bad_array(4);
select bad_array(5);
select bad_array(6);
select bad_array(7);
select bad_array(8);
do language pllua_bg $$
    local int4, text = pgtype.array.integer, pgtype.array.text
    print(int4(1, 2, 3, 4), int4({1, 2, 3, 4}, 4), int4({{1, 2}, {3, 4}}, 2, 2), int4(), int4({1, 2, 3}))
    print(int4({1, 2, 3}, 2), int4({1, 2, 3}, 5), int4({{1, 2}, {3}}, 2, 2), int4({}, 0), int4(nil, 1), int4({[2] = 5}))
    print(text('a', 'b"c', nil, 'NULL', ''), text{'x'}, int4:fromstring '{7,8}', pgtype['int4[]'](1))
    print(int4(pgtype.array.int8(1, 2)), pgtype(int4(1)), pgtype.array.int4 == pgtype['int4[]'], int4:element())
    print(pgtype.array.date({'2020-01-01', {year = 2020, month = 2, day = 1}}), pgtype.array.jsonb({{a = 1}, {1, 2}}))
    print(pcall(int4, '{1,2}'), pcall(int4, {1}, -1))
    print(spi.execute('select $1::int[] as x', {{1, 2}, {3, 4}})[1].x, spi.execute('select $1::text[] as x', {})[1].x)
$$;

-- Arrays of rows: rows inside are the caller's to change.
create type pair as (a int, b text);
create function change_rows(pair[]) returns pair[] language pllua_bg as $$
    local rows = ...
    rows[1].b = 'changed'
    rows[2] = {a = 2, b = 'new'}
    return rows
$$;
select change_rows(array[row(1, 'x')::pair, row(5, 'y')::pair]);
create function make_rows() returns setof pair[] language pllua_bg as $$
    coroutine.yield{{a = 1, b = 'x'}, {a = 2}}
    coroutine.yield{{1, 'by position'}}
$$;
select * from make_rows();

-- A length modifier of the elements holds.
create table lists (names varchar(3)[], amounts numeric(4, 1)[]);
create function lists(text) returns lists language pllua_bg as $$
    return {names = {(...), 'ab'}, amounts = {1.25, '2'}}
$$;
create function lists_of_arrays(text) returns lists language pllua_bg as $$
    return {names = pgtype.array.varchar((...), 'ab'), amounts = pgtype.array.numeric(1.25)}
$$;
select lists('abc'), lists_of_arrays('abc');
select lists('abcd');
select lists_of_arrays('abcd');

-- Elements read one by one cost no copy of the whole; what was only read stays unchanged.
create function total(int[]) returns bigint language pllua_bg as $$
    local a, sum = ..., 0
    for i = 1, #a do sum = sum + a[i] end
    return sum
$$;
select total(array_agg(i)) from generate_series(1, 100000) i;
-- ipairs goes through all of an array, NULL too, and what is beyond its bounds is nil.
create function walked(a anyarray) returns text language pllua_bg as $$
    local function walk(list)
        local items = {}
        for i, v in ipairs(list) do items[#items + 1] = i .. '=' .. (type(v) == 'userdata' and '(' .. walk(v) .. ')' or tostring(v)) end
        return table.concat(items, ' ')
    end
    return #a .. ': ' .. walk(a) .. ', beyond: ' .. tostring(a[#a + 1]) .. ' ' .. tostring(a[-9])
$$;
select walked(a) from (values (array[1, 2, null, 4]), (array[null, null]::int[]), ('{}'), ('[0:2]={1,null,3}'), ('[5:6]={1,2}'), (array[[1, 2], [3, null]]),
                              ('[2:3][0:1]={{1,2},{3,4}}'), (array[[[1, 2]], [[null, 4]]])) t(a);
select walked(array['a', null, 'c']);
do language pllua_bg $$
    local a = pgtype.array.int4({{1, 2}, {3, 4}}, 2, 2)
    print(a[1][3], a[2][0], a[3], pcall(function() a[3][1] = 5 end))
    local own = setmetatable({}, {__ipairs = function(t) return function(_, i) if i < 2 then return i + 1, 'x' end end, t, 0 end})
    for i, v in ipairs(own) do print(i, v) end
    for i, v in ipairs{7, 8, nil, 9} do print(i, v) end
    print(pcall(ipairs))
$$;
-- Many looks: Lua finds the elements itself then, and nothing else is different.
do language pllua_bg $$
    local function look(a, from, to) local seen = 0 for _ = 1, 5 do for i = from or -5, to or 60 do if a[i] ~= nil then seen = seen + 1 end end end return seen end
    local function sql(text) return spi.execute('select ' .. text .. ' as a')[1].a end
    for _, text in ipairs{'array(select i from generate_series(1, 50) i)', "array(select 'text ' || i from generate_series(1, 50) i)",
        'array(select nullif(i, 3) from generate_series(1, 50) i)', 'array(select i * 1.5 from generate_series(1, 50) i)',
        "'[0:49]={" .. ('1,'):rep(49) .. "2}'::int[]", "'[-3:46]={" .. ('1,'):rep(49) .. "2}'::int8[]"} do
        local a, before = sql(text), sql(text)
        local seen = look(a)
        print(seen, #a, a == before, tostring(a) == tostring(before), a[0], a[51], a['1'], a.x, a[1.0] == a[1], a[1.5], getmetatable(a), type(a), pgtype(a))
        local n, last = 0
        for i, v in pairs(a) do n, last = n + 1, i end
        local m = 0
        for i, v in ipairs(a) do m = m + 1 end
        print(n, last, m)
    end
    -- changed afterwards
    local a = sql'array(select i from generate_series(1, 50) i)'
    look(a)
    a[1], a[50] = 100, nil
    print(a[1], a[50], #a, look(a), spi.execute('select ($1::int[])[1] as first, cardinality($1) as n, $1[50] as last', a)[1])
    a[52] = 52
    print(a[51], a[52], a[53], #a, look(a))
    a[0] = -1
    print(a[0], a[1], a[52], #a, look(a), a[0], a[1])
    a[-2] = -3
    print(a[-2], a[-1], a[0], a[1], a[52], #a)
    print(pcall(function() a[1] = 'x' end))
    print(pcall(function() a.x = 1 end))
    print(a[1], a[-2], table.concat(a{null = 'null'}, ' ', 1, 3))
    local changed = sql'array(select i from generate_series(1, 50) i)'
    for i = 1, 200 do changed[i] = i * 2; assert(changed[i] == i * 2 and (i < 2 or changed[i - 1] == i * 2 - 2)) end
    print(#changed, look(changed, 1, 300))
    local rows = sql'array(select row(i, i::text)::pair from generate_series(1, 50) i)'
    look(rows)
    rows[7].a = 70
    print(rows[7], spi.execute('select ($1)[7].a as x', rows)[1].x)
    -- slices of a matrix are the same ones, as good as new ones
    local m = sql"'{{1,2,3},{4,5,6}}'::int[]"
    local first, second = m[1], m[2]
    for _ = 1, 50 do assert(m[1][2] == 2 and m[2][2] == 5 and m[1] == first and m[3] == nil and m[0] == nil) end
    m[1][2] = 20
    print(first[2], second[2], m[1][2], m, #m, #m[1])
    m, first = nil, nil
    collectgarbage()
    print(second[1], second[3])
$$;
set client_min_messages = warning;
drop schema types_array cascade;
