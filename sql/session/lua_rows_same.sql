-- A function cannot tell where its rows came from: spi.execute and session:exec give the same Lua values.
create type mood as enum ('sad', 'happy');
create domain positive as int check (value > 0);
create domain pname as text;
create type pair as (a int, b text);
create type nested as (p pair, ps pair[], d positive);
create table wide (id int, gone int, v varchar(10), c char(5), t text);
insert into wide values (1, 2, 'v', 'c', repeat('long text ', 10000));
alter table wide drop column gone;

create function same(sql text) returns text language pllua_bg as $$
    local function describe(v, depth)
        local kind = math.type(v) or type(v)
        if kind ~= 'table' and kind ~= 'userdata' then return kind .. ':' .. tostring(v) end
        local out = {kind, tostring(v)}
        local ok, err = pcall(function()
            if depth < 4 then for k, x in pairs(v) do out[#out + 1] = tostring(k) .. '=' .. describe(x, depth + 1) end end
        end)
        if not ok then out[#out + 1] = tostring(err) end
        local text = table.concat(out, ';')
        return (text:gsub('0x%x+', 'ADDRESS'))
    end
    local function columns(r)
        local out = {}
        for i, c in ipairs(r.columns) do out[i] = c.name .. ' ' .. c.type .. ' ' .. c.oid .. ' ' .. c.typmod end
        return table.concat(out, ', ')
    end
    local function all(r)
        local out = {tostring(r.n), tostring(r.tag), columns(r), describe(r.value, 1)}
        for _, row in ipairs(r) do
            for i = 1, #r.columns do out[#out + 1] = describe(row[i], 1) end
            for k, v in pairs(row) do out[#out + 1] = tostring(k) .. '=' .. describe(v, 1) end
            out[#out + 1] = tostring(row)
        end
        return table.concat(out, '\n')
    end
    local s = bg.sessions()[1] or bg.launch()
    _G.held = s -- until the end: garbage would be let go
    local here, there = all(spi.execute(sql)), all(s:exec(sql))
    if here == there then return 'same' end
    return 'here: ' .. here:sub(1, 400) .. '\nthere: ' .. there:sub(1, 400)
$$;

select name, same('select ' || expression || ' as v') from (values
    ('bool', 'true'), ('null', 'null::int'), ('int2', '1::int2'), ('int4', '-5'), ('int8', '9007199254740993'),
    ('oid', '42::oid'), ('regclass', $$'wide'::regclass$$), ('float4', '1.1::float4'), ('float8', 'pi()'),
    ('float8 special', $$'NaN'::float8$$), ('infinity', $$'-Infinity'::float8$$),
    ('numeric', '1234567890123456789.5'), ('numeric special', $$'NaN'::numeric$$), ('numeric(5,2)', '1.5::numeric(5,2)'),
    ('text', $$'grüße'$$), ('varchar(10)', $$'abc'::varchar(10)$$), ('char(5)', $$'abc'::char(5)$$), ('"char"', $$'x'::"char"$$),
    ('name', $$'n'::name$$), ('unknown', $$'lit'$$), ('empty', $$''$$), ('bytea', $$'\x0001ff'::bytea$$),
    ('date', $$date '2024-02-29'$$), ('time', $$time '12:34:56.789'$$), ('timetz', $$timetz '12:34:56+02'$$),
    ('timestamp', $$timestamp '2024-02-29 12:34:56'$$), ('timestamptz', $$timestamptz '2024-02-29 12:34:56+00'$$),
    ('infinity date', $$date 'infinity'$$), ('interval', $$interval '1 mon 2 days 03:04:05'$$),
    ('json', $$'{"a": [1, null]}'::json$$), ('jsonb', $$'{"a": [1, null]}'::jsonb$$), ('uuid', $$'11111111-2222-3333-4444-555555555555'::uuid$$),
    ('inet', $$'10.0.0.1/8'::inet$$), ('xml', $$null::xml$$), ('point', $$point '(1,2)'$$), ('bit', $$B'101'$$),
    ('tsvector', $$to_tsvector('simple', 'a b')$$), ('money', $$5::money$$), ('pg_lsn', $$'0/1'::pg_lsn$$),
    ('int4range', 'int4range(1, 5)'), ('empty range', 'int4range(1, 1)'), ('tstzrange', $$tstzrange('2024-01-01 00:00+00', null)$$),
    ('multirange', 'int4multirange(int4range(1, 3), int4range(5, 7))'),
    ('enum', $$'happy'::mood$$), ('domain', '5::positive'), ('text domain', $$'p'::pname$$),
    ('composite', $$row(1, 'x')::pair$$), ('nested', $$row(row(1, null)::pair, array[row(2, 'y')::pair], 3)::nested$$),
    ('null composite', 'null::pair'), ('int array', 'array[1, null, 3]'), ('empty array', 'array[]::int[]'),
    ('2d array', 'array[[1, 2], [3, 4]]'), ('bounds', $$'[0:1]={5,6}'::int[]$$), ('enum array', $$array['sad', 'happy']::mood[]$$),
    ('composite array', $$array[row(1, 'x')::pair]$$), ('domain array', 'array[1, 2]::positive[]'), ('text array', $$array['a', 'b,c', null]$$),
    ('int2vector', $$'1 2'::int2vector$$), ('void', $$pg_notify('x', 'y')$$)) as t(name, expression);

select same('select * from wide');
select same('select w from wide w');
select same('select * from pg_class where oid = 1259');
select same('select n.* from (values (1, null, $$x$$), (2, $$y$$, null)) n(a, "B c", d)');
select same('select 1 as a, 2 as a, 3');
select same('select 1 where false');
select same('select');
select same('select g from generate_series(1, 5000) g');
select same('insert into wide values (2) returning id, v');
select same('explain (costs off) select * from wide');
select same('show server_version_num');
select same('explain (costs off) select 1');
select same('values (1, $$a$$), (2, $$b$$)');

-- an anonymous record has no meaning outside its session and comes as its text
do language pllua_bg $$
    for _, s in ipairs(bg.sessions()) do s:close() end
    local s <close> = bg.launch()
    local r = s:exec([[select row(1, 'x') as r, array[row(1, 'x')] as rs, 5 as n]])
    print(r[1].r, r[1].rs, r[1].n)
    -- a type that was made in the session's open transaction
    s:exec([[begin; create type fresh as enum ('one', 'two'); create table ft (f fresh, n int)]])
    r = s:exec([[insert into ft values ('two', 5) returning f, n]])
    print(r[1].f, r[1].n, r.columns[1].type)
    s:exec('commit')
    r = s:exec('select f, n from ft')
    print(r[1].f, r[1].n, r.columns[1].type)
    s:exec('drop table ft; drop type fresh')
$$;

-- a type that changes between two results
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('create table changing (a int)')
    s:exec('insert into changing values (1)')
    print(tostring(s:exec('select c from changing c')[1].c), s:exec('select * from changing')[1])
    s:exec([[alter table changing add column b text default 'new']])
    print(tostring(s:exec('select c from changing c')[1].c), s:exec('select * from changing')[1])
    s:exec('drop table changing')
$$;
drop function same;
drop table wide;
drop type nested, pair, mood;
drop domain positive, pname;
