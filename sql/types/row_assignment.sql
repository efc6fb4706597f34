-- What is assigned to a field of a row is converted there and then, whatever row it is.
create schema row_assignment;
set search_path = row_assignment, public;

create domain positive as int check (value > 0);
create domain filled as text not null;
create type mood as enum ('sad', 'fine');
create type pair as (a int, d date);
create table kinds (n int, d date, v varchar(3), p positive, f filled, x numeric(4, 1), m mood, c pair, l int[], j jsonb, b bytea, t timestamptz, flag boolean, r float4);
insert into kinds values (1, '2020-01-01', 'abc', 1, 'x', 1, 'sad', row(1, '2020-01-01'), '{1}', '{"a": 1}', 'x', 'epoch', true, 1);

-- Each of these is done with a row of each kind; fails(...) says what an assignment raises.
do language pllua_bg $$
    function _G.fails(row, field, value)
        local ok, err = pcall(function() row[field] = value end)
        return ok and 'no error' or err.sqlstate
    end
    function _G.try_row(what, row)
        row.d = '2020-02-03'
        row.n = 12.0
        row.x = '2.50'
        row.m = 'fine'
        row.r = 0.1
        row.c = {a = '7', d = '2021-01-01'}
        row.l = {'4', 5}
        row.j = {a = {b = 2}}
        row.flag = 'yes'
        row.v = 12345
        row.t = '2020-01-01 00:00+00'
        print(what, row.d.year, math.type(row.n), row.x + 1, row.m, row.r, math.type(row.c.a), row.c.d.year, row.l[1] + 1, row.j.a.b + 1, row.flag, row.v, row.t.year > 2018)
        print(what, fails(row, 'n', 'x'), fails(row, 'n', 2^40), fails(row, 'd', '2020-02-30'), fails(row, 'p', -1), fails(row, 'f', nil), fails(row, 'm', 'merry'),
            fails(row, 'c', {a = 'x'}), fails(row, 'c', {z = 1}), fails(row, 'l', {'x'}), fails(row, 'flag', {}), fails(row, 'f', 'a\0b'), fails(row, 'f', '\xff'), fails(row, 'b', '\xff\0'))
        print(what, fails(row, 'nonsense', 1), fails(row, 15, 1), fails(row, 0, 1), fails(row, -1, 1), fails(row, true, 1), fails(row, 1.5, 1), fails(row, '1', 1), row.d, row.n, row.p)
        row[2], row[1] = '2022-02-02', '5'
        print(what, row.d.year, row[2].year, row[1], math.type(row.n), fails(row, 1, 'x'), fails(row, 4, 0), row.n)
        row.n, row[2], row.c, row.l = nil
        print(what, row.n, row.d, row[2], row.c, row.l, row)
        row.n, row[2], row.c, row.l = 1, '2020-01-01', {a = 1}, {1}
        print(what, row.n, row.d.year, row.c.d, row.l[1])
        local other = {a = 3}
        row.c = other
        other.a = 4
        local inside = row.c
        inside.a = '8'
        print(what, row.c.a, math.type(inside.a), fails(inside, 'a', 'x'), fails(inside, 3, 1), row.c.a)
        local list = row.l
        list[2] = 9
        print(what, row.l[2], row.b, tostring(row):sub(1, 30))
        row.v, row.n = 'v', row.n + 1
    end
$$;
create function of_argument(kinds) returns kinds language pllua_bg as $$ try_row('argument', ...) return (...) $$;
select a.n, a.d, a.v, a.p, a.c, a.l from kinds k, of_argument(k) a;
create function of_nested(record) returns void language pllua_bg as $$ try_row('nested', (...).k) $$;
select of_nested(r) from (select 1 as one, k from kinds k) r;
do language pllua_bg $$
    try_row('execute', spi.execute('select * from kinds')[1])
    for row in spi.rows('select * from kinds') do try_row('rows', row) end
    local cursor = spi.prepare('select * from kinds'):getcursor()
    try_row('cursor', cursor:fetch(1)[1])
    cursor:close()
    try_row('inside', spi.execute('select k from kinds k')[1].k)
    local values = spi.execute('select * from kinds')[1]
    try_row('made', pgtype.kinds(table.unpack({values[1], values[2], values[3], values[4], values[5], values[6], values[7], values[8], values[9], values[10], values[11], values[12], values[13], values[14]}, 1, 14)))
    try_row('converted', pgtype.kinds{n = 1, p = 1, f = 'x', c = {a = 1}, b = 'x'})
$$;
do language pllua_bg $$
    local session <close> = bg.launch()
    try_row('session', session:exec('select * from row_assignment.kinds')[1])
    for row in session:rows('select * from row_assignment.kinds') do try_row('stream', row) end
$$;

-- Triggers.
create table kept (like kinds);
create function assigns() returns trigger language pllua_bg as $$
    try_row('new', new)
    if old then try_row('old', old) end
    return new
$$;
create trigger assigns before insert or update on kept for each row execute function assigns();
insert into kept select * from kinds;
update kept set v = 'abc';
-- The length is what the table asks for, when the row goes there.
create or replace function assigns() returns trigger language pllua_bg as $$ new.x = 2.55 print(new.x) new.v = 'abc  ' $$;
insert into kept select * from kinds;
select n, x, v || '|' as v from kept order by x;
create or replace function assigns() returns trigger language pllua_bg as $$ new.v = 'abcd' print(new.v) $$;
insert into kept select * from kinds;
-- Only some fields are named in the text.
create or replace function assigns() returns trigger language pllua_bg as $$
    print(pcall(function() new.n = 'x' end))
    new.d = '2020-02-03'
    new.p = '7'
    print(new.d.year, math.type(new.p), new.n)
    new.n = new.n + 0.0
$$;
insert into kept select * from kinds;
select n, d, p from kept order by d desc limit 1;
create or replace function assigns() returns trigger language pllua_bg as $$ new.d = nil print(new.d) new.p = -1 $$;
insert into kept select * from kinds;

-- Rows of more columns than are looked at one by one, names that are long, and names that come twice.
do language pllua_bg $$
    local list = {}
    for i = 1, 60 do list[i] = i .. ' as column_' .. i end
    list[61] = "date '2020-01-01' as " .. ('a_name_of_more_than_forty_characters_that_goes_on'):rep(1)
    list[62], list[63] = '1 as twice', "date '2021-01-01' as twice"
    local row = spi.execute('select ' .. table.concat(list, ', '))[1]
    row.column_60 = '7'
    row.a_name_of_more_than_forty_characters_that_goes_on = '2022-01-01'
    row.twice = '2023-01-01'
    print(row.column_60 + 1, row[60], row.column_40, row.a_name_of_more_than_forty_characters_that_goes_on.year, row.twice.year, row[62], row[63].year)
    print(fails(row, 'column_61', 1), fails(row, 'twice', 'x'), fails(row, 62, 'x'), #row)
    -- Nothing of a row is a plain field of its table.
    print(rawget(row, 'twice'), rawget(row, 1), rawlen(row), next(row) ~= nil)
$$;
drop schema row_assignment cascade;
