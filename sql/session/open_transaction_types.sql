-- Types that only the worker's open transaction knows, and anonymous records, by every way results come: fetched, streamed, prepared, in SQL.
\set SHOW_CONTEXT never
create function each_way(setup text, query text) returns setof text language pllua_bg as $$
    local s <close> = bg.launch()
    if setup ~= '' then s:exec(setup) end
    local function line(way, row)
        local out = {}
        for i = 1, #row do out[i] = tostring(row[i]) end
        coroutine.yield(way .. ': ' .. table.concat(out, ' | '))
    end
    for _, row in ipairs(s:exec(query)) do line('exec', row) end
    for row in s:rows(query) do line('rows', row) end
    local statement <close> = s:prepare(query)
    for _, row in ipairs(statement:exec()) do line('prepared', row) end
    for row in statement:rows() do line('prepared rows', row) end
    local types = {}
    for i, c in ipairs(s:exec(query).columns) do types[i] = c.type end
    coroutine.yield('types: ' .. table.concat(types, ', '))
$$;
create type known as (a int, b text);
-- enum, range, multirange, domains over each other, composite, row type of a table, of a view, arrays of all
select each_way($$begin;
    create type color as enum ('red', 'green');
    create type colors as range (subtype = color, multirange_type_name = many_colors);
    create domain small as int check (value < 10);
    create domain smalls as small[];
    create domain smaller as small check (value < 5);
    create type spot as (c color, n smaller);
    create table thing (n small, c color, s spot, tags color[]);
    create view things as select t, n from thing t;
    insert into thing values (1, 'red', ('green', 2), array['red', 'green']::color[])$$,
    $$select c, t.n, s, tags, array[s], '[red,green]'::colors, '{[red,green]}'::many_colors, '{1,2}'::smalls, 3::smaller, t, array[t], v
    from thing t, things v$$);
-- a table that exists, changed in the transaction
create table altered (a int);
insert into altered values (1);
select each_way($$begin; alter table altered add b text default 'new'$$, 'select x, array[x], a, b from altered x');
select each_way($$begin; alter table altered rename a to z; alter table altered alter z type text$$, 'select x, z from altered x');
create type grade as enum ('good', 'bad');
select each_way($$begin; alter type grade rename value 'good' to 'fine'$$, $$select 'fine'::grade, 'bad'::grade, array['fine']::grade[]$$);
select each_way($$begin; alter type known add attribute c int$$, $$select '(1,x,2)'::known, array['(1,x,2)']::known[], row('(1,x,2)'::known)$$);
-- created, committed and then read: the type itself
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('begin; create domain lately as int; create type pair as (l lately, m int)')
    local early, late = s:run("select 5::lately, '(1,2)'::pair"), s:run("select 5::lately, '(1,2)'::pair")
    local r = early:get()
    print(math.type(r[1][1]), r.columns[1].type, r[1][2])
    s:exec('commit')
    r = late:get()
    print(math.type(r[1][1]), r.columns[1].type, r[1][2].m)
    s:exec('drop type pair; drop domain lately')
$$;
-- records: nested, in arrays, beside and inside of named types, from functions, null, empty, of different shapes in one column
create function shapes() returns setof record language sql as $$ values (1, 'x'::text), (2, null) $$;
select each_way('', $$select row(1, 'a'), row(), row(null), row(1, row(2, row(3, 'deep'))), array[row(1, 2), row(3, 4)], array[[row(1)], [row(2)]], null::record$$);
select each_way('', $$select r from (values (row(1, 'a')), (row('b', 2.5, true)), (null)) v(r)$$);
select each_way('', $$select row((1, 'k')::known, array[(2, 'l')::known]), (3, 'm')::known, array[(4, 'n')::known]$$);
select each_way('', 'select s from shapes() as s(i int, t text)');
select each_way('', 'select shapes()');
select each_way('', $$select x from json_to_record('{"a": 1, "b": [1, 2]}') as x(a int, b int[])$$);
-- into SQL: as text, as the type once it is committed, and what does not fit is refused
select bg.launch() as pid \gset
select bg.run(:pid, $$begin; create type color as enum ('red', 'green'); create table thing (c color, s color[])$$);
select * from bg.result(:pid) as (tag text);
select bg.run(:pid, $$insert into thing values ('red', '{green}') returning c, s, thing$$);
select * from bg.result(:pid) as (c text, s text, t text);
select bg.run(:pid, $$select c, row(c, 1), thing from thing$$);
select bg.run(:pid, 'commit');
select * from bg.result(:pid) as (tag text);
select * from bg.result(:pid) as (c color, r text, t thing);
select bg.run(:pid, $$select c, s, thing from thing$$);
select * from bg.result(:pid) as (c color, s color[], t thing);
select bg.run(:pid, $$drop table thing; drop type color; select 1$$);
select * from bg.result(:pid) as (x int);
-- a type of the launching transaction is unknown to the session
begin;
create type mine as enum ('x');
do language pllua_bg $$
    local s = bg.sessions()[1]
    local ok, e = pcall(s.exec, s, 'select $1', pgtype(nil, 'mine'):fromstring('x'))
    print(ok, e.sqlstate, e.message)
    print(s:exec('select 1').value)
$$;
rollback;
select bg.close(:pid);
drop function each_way(text, text), shapes();
drop table altered;
drop type known, grade;
