-- Composite values are tables with the shape of their type; records too.
create schema types_composite;
set search_path = types_composite, public;

create type pair as (a int, b text);
create table item (id int, gone int, name varchar(10), price numeric, day date, inner_pair pair, list int[]);
alter table item drop column gone;
insert into item values (1, 'bob', 1.5, '2020-01-01', row(1, 'x'), '{1,2}'), (2, null, null, null, null, null);

create function render(item) returns text language pllua_bg as $$
    local row, parts = ..., {}
    for name, value, number in pairs(row) do parts[#parts + 1] = name .. ':' .. tostring(value) .. ':' .. number end
    return type(row) .. ' #' .. #row .. ' ' .. table.concat(parts, ' ')
$$;
select render(item) from item order by id;
do language pllua_bg $$
    local row = spi.execute('select item from item where id = 1')[1].item
    print(row, row.id, row.name, row[1], row[3], row.inner_pair.a, row.list[2], row[5])
    local null = spi.execute('select item from item where id = 2')[1].item
    print(null, null.name, null[4], rawget(null, 'name'))
    for _, f in ipairs{function() return row.nosuch end, function() return row[2] end, function() return row[99] end,
                       function() return row[0] end, function() return row[true] end, function() row.nosuch = 1 end,
                       function() row[2] = 1 end, function() setmetatable(row, nil) end} do
        local ok, err = pcall(f)
        print(ok, type(err) == 'string' and err:gsub('^.-:%d+: ', '') or err)
    end
    row.name, row[4], row.inner_pair.b = 'al', nil, 'with "quotes", (and) \\'
    null.name = 'not null'
    print(row, null, null.name)
    -- rows as tables
    local t = row{null = 'none'}
    print(getmetatable(t), t.price, t.name)
    t = row(function(name, value, number, self) return name .. number .. tostring(self == row) end)
    print(t.id, t.name, t.price)
    local n = 0
    print(select('#', row{map = function() n = n + 1 end, discard = true}), n)
    print(pgtype(row), pgtype(row.inner_pair), pgtype(spi.execute('select 1 as x')[1]))
    print(getmetatable(row), next(spi.execute('select null::int as x')[1]))
$$;
-- Columns of the same name: the last one by name, all by number.
do language pllua_bg $$
    local row = spi.execute('select 1 as a, 2 as b, 3 as a')[1]
    print(row.a, row[1], row[2], row[3], row)
    row[1] = 10
    print(row.a, row[1], row)
$$;
-- Names that are Lua's own words or metamethods.
do language pllua_bg $$
    local row = spi.execute([[select 1 as "end", 2 as "__index", 3 as "a b", 4 as "1", 5 as n]])[1]
    print(row['end'], row.__index, row['a b'], row['1'], row[1], row.n, row)
$$;

-- On the way to the server.
create function make(int) returns item language pllua_bg as $$
    return ({{id = 1, name = 'x', inner_pair = {a = 1, b = 'y'}, list = {1, 2}}, {}, {7, 'seven'},
             {id = '5', day = {year = 2020, month = 1, day = 2}}})[...]
$$;
select i, make(i) from generate_series(1, 5) i;
\set VERBOSITY terse
create function bad(int) returns item language pllua_bg as $$
    return ({{id = 1, nosuch = 2}, {id = 'x'}, {name = 'longer than ten'}, {1, 2, 3, 4, 5, 6, 7}, {inner_pair = {c = 1}},
             {inner_pair = 5}})[...]
$$;
select bad(1);
select bad(2);
select bad(3);
select bad(4);
select bad(5);
select bad(6);
create function pass(item) returns item language pllua_bg as $$
    local row = ...
    row.id = row.id and row.id + 1
    return row
$$;
select pass(item) from item order by id;
create function to_pair(item) returns pair language pllua_bg as 'return (...).inner_pair';
select to_pair(item) from item order by id;
create function wrong_row(item) returns pair language pllua_bg as 'return (...)';
select wrong_row(item) from item;

-- Records of no declared type.
create function fields(record) returns text language pllua_bg as $$
    local parts = {}
    for name, value, number in pairs((...)) do parts[#parts + 1] = name .. '=' .. tostring(value) end
    return table.concat(parts, ' ')
$$;
select fields(row(1, 'a', null)), fields(row()), fields(row(row(1, 2), array[3])), fields(item) from item where id = 1;
do language pllua_bg $$
    local r = spi.execute([[select row(1, 'a', null) as x]])[1].x
    print(r, r.f1, r[2], #r, pgtype(r))
    print(spi.execute('select $1 as same, pg_typeof($1) as type', r)[1])
    local item = spi.execute('select item from item where id = 1')[1].item
    print(spi.execute('select ($1::item).name as name, pg_typeof($1)::text as type', item)[1])
$$;
create function two(out a int, out b text) language pllua_bg as 'return {a = 1, b = "x"}';
create function anonymous() returns record language pllua_bg as 'return {b = "y", a = 2}';
select * from two();
select * from anonymous() as (a int, b text);

-- Values in table columns have short headers or are compressed: they must be read as values.
create table nested (p pair, r pair);
alter table nested alter p set storage extended;
insert into nested select row(i, 'x')::pair, row(i, repeat('y', 20000))::pair from generate_series(1, 100) i;
create function first(pair) returns int language pllua_bg as 'return (...).a';
create function size(pair) returns int language pllua_bg as 'return #(...).b';
select sum(first(p)), sum(first(r)), sum(size(r)) from nested;

-- A column added while the session runs is seen at once, with its default for old rows.
create function columns_of(pair) returns text language pllua_bg as $$
    local names = {}
    for name, value in pairs((...)) do names[#names + 1] = name .. '=' .. tostring(value) end
    return table.concat(names, ' ')
$$;
create table live (a int);
insert into live values (1);
create function show_live(live) returns text language pllua_bg as 'return tostring((...))';
create function new_live() returns live language pllua_bg as 'return {a = 5}';
create function find_c(live) returns text language pllua_bg as 'return (...).c';
select show_live(live), new_live() from live;
alter table live add column b text default 'old';
select show_live(live), new_live() from live;
alter table live add column c text;
update live set c = 'new';
select show_live(live), new_live(), find_c(live) from live;
alter table live drop column b;
select show_live(live), new_live(), find_c(live) from live;
alter table live rename c to d;
select find_c(live) from live;
select show_live(live) from live;
alter type pair add attribute c date;
select columns_of(row(1, 'x', '2020-01-01')::pair);

-- pgtype makes rows.
do language pllua_bg $$
    local pair = pgtype.pair
    print(pair(1, 'x', nil), pair{a = 1, b = 'x'}, pair{a = 1}, pair(nil), pair(), pair{1, 'x'}, pair:fromstring '(1,x,)')
    print(pair(pair(1, 'x', '2020-01-01')).c.year)
    for _, f in ipairs{function() return pair(1) end, function() return pair(1, 2, 3, 4) end, function() return pair{z = 1} end,
                       function() return pair 'x' end, function() return pair:fromstring '(1' end} do
        print(pcall(f))
    end
$$;
set client_min_messages = warning;
drop schema types_composite cascade;
