-- A value that needs a cast gets it with the rights of the user, by every road a parameter can take.
\set SHOW_CONTEXT never
set client_min_messages = error;
create role regress_cast_user login;
grant usage on schema bg to regress_cast_user;
grant usage on language pllua_bg to regress_cast_user;
create type color as enum ('red', 'blue');
create type pair as (a int, b text);
create function to_color(bigint) returns color language sql as $$ select case when $1 = 1 then 'red'::color end $$;
create function to_pair(date) returns pair language plpgsql as $$ begin return row(extract(day from $1), 'day')::pair; end $$;
create cast (bigint as color) with function to_color(bigint) as assignment;
create cast (date as pair) with function to_pair(date) as assignment;
create domain warm as color check (value <> 'blue');
create table painted (c color);
create table painted_warm (c warm);
create table many (c color[]);
create table paired (p pair);
grant select, insert, delete on painted, painted_warm, many, paired to regress_cast_user;

-- runs the statement by each road; prints what all of them gave, or all when they differ
create function by_each_road(sql text, value_text text) returns void language pllua_bg as $lua$
    local value = assert(load('return ' .. value_text, 'value', 't', {pgtype = pgtype}))()
    local s <close> = bg.launch()
    local function first(rows) for row in rows do return row end end
    local roads = {
        {'spi.execute', function() return spi.execute(sql, value)[1] end},
        {'spi.prepare', function() return spi.prepare(sql):execute(value)[1] end},
        {'spi.rows', function() return first(spi.rows(sql, value)) end},
        {'cursor', function() local c <close> = spi.newcursor():open(sql, value) return c:fetch(1)[1] end},
        {'getcursor', function() local c <close> = spi.prepare(sql):getcursor(value) return c:fetch(1)[1] end},
        {'exec', function() return s:exec(sql, value)[1] end},
        {'run', function() return s:run(sql, value):get()[1] end},
        {'rows', function() return first(s:rows(sql, value)) end},
        {'prepare', function() local st <close> = s:prepare(sql) return st:exec(value)[1] end},
        {'prepared run', function() local st <close> = s:prepare(sql) return st:run(value):get()[1] end},
        {'prepared rows', function() local st <close> = s:prepare(sql) return first(st:rows(value)) end},
        {'autonomous', function() return bg.autonomous(sql, value)[1] end},
        {'map', function() return bg.map({value}, sql)[1][1] end},
        {'map function', function() return bg.map({value}, function(s, v) return s:exec(sql, v)[1] end)[1] end},
        {'each', function() for r in bg.each({value}, sql) do return r[1] end end},
    }
    local seen, lines = {}, {}
    for _, road in ipairs(roads) do
        local ok, got = pcall(road[2])
        local text = ok and tostring(got) or got.sqlstate .. ' ' .. got.message
        lines[#lines + 1] = road[1] .. ': ' .. text
        if not seen[text] then seen[text], seen[#seen + 1] = true, text end
    end
    print(#seen == 1 and 'all: ' .. seen[1] or table.concat(lines, '\n'))
$lua$;

-- the owner, as a plain insert
insert into painted values (1::bigint), (2::bigint) returning c;
delete from painted;
set role regress_cast_user;
select by_each_road(format('insert into %s values ($1) returning *', t), '1')
    from unnest(array['painted', 'painted_warm']) t;
select by_each_road('insert into painted values ($1) returning *', '2'); -- the cast gives NULL
select by_each_road('insert into painted_warm values ($1) returning *', '2');
reset role;
select c, count(*) from painted group by c order by c;

-- a user that may not execute the function
revoke execute on function to_color(bigint), to_pair(date) from public;
set role regress_cast_user;
insert into painted values (1::bigint);
select by_each_road('insert into painted values ($1) returning *', '1');
select by_each_road('insert into painted values ($1) returning *', 'pgtype.int8(1)');
select by_each_road('insert into painted values ($1) returning *', '"red"');
select by_each_road('insert into painted values ($1) returning *', '1.5');
select by_each_road('insert into painted values ($1) returning *', 'true');
select by_each_road('insert into painted_warm values ($1) returning *', '1');
select by_each_road('insert into painted_warm values ($1) returning *', '"blue"');
select by_each_road('insert into many values ($1) returning *', '{1, 1}');
select by_each_road('insert into many values ($1) returning *', '{"red", "blue"}');
select by_each_road('insert into many values ($1) returning *', 'pgtype.array.int8(1)');
select by_each_road('insert into paired values ($1) returning *', 'pgtype.date("2020-02-03")');
-- at the commit, and in SQL
delete from painted;
do language pllua_bg $$
    bg.on_commit('insert into painted values ($1)', 1)
    bg.on_commit('insert into painted values ($1)', 'blue')
$$;
do language pllua_bg $$
    while spi.execute("select count(*) from painted where c = 'blue'").value == 0 do bg.sleep(0.01) end
$$;
select bg.launch() as pid \gset
select bg.run(:pid, 'insert into painted values ($1) returning c', 1::bigint);
select * from bg.result(:pid) as (c color);
select bg.run(:pid, 'insert into painted values ($1) returning c', 'red');
select * from bg.result(:pid) as (c color);
select bg.close(:pid);
select * from painted order by c;
reset role;

-- the right is asked for each time, and of who the user is then
create function change_right(command text) returns void language pllua_bg security definer as $$ bg.autonomous(command) $$;
grant execute on function change_right(text) to regress_cast_user;
set role regress_cast_user;
do language pllua_bg $lua$
    local s <close> = bg.launch()
    local sql = 'insert into painted values ($1) returning c'
    local kept, kept_here = s:prepare(sql), spi.prepare(sql)
    local function try_all()
        print(pcall(function() return kept:exec(1)[1].c end))
        print(pcall(function() return s:exec(sql, 1)[1].c end))
        print(pcall(function() return kept_here:execute(1)[1].c end))
        print(pcall(function() return spi.execute(sql, 1)[1].c end))
    end
    local change = "select change_right('%s execute on function to_color(bigint) %s regress_cast_user')"
    spi.execute(change:format('grant', 'to'))
    try_all()
    spi.execute(change:format('revoke', 'from'))
    try_all()
$lua$;
reset role;
do language pllua_bg $$
    local s <close> = bg.launch()
    local st <close> = s:prepare('insert into painted values ($1) returning c')
    print(st:exec(1)[1].c)
    s:exec('set role regress_cast_user')
    print(pcall(st.exec, st, 1))
    print(pcall(s.exec, s, 'insert into painted values ($1) returning c', 1))
    s:exec('reset role')
    print(st:exec(1)[1].c)
$$;

-- functions that a conversion calls without a cast: those of constraints, lengths and comparisons, for each user anew
create function is_low(int) returns boolean language plpgsql as 'begin return $1 < 100; end';
create domain low as int check (is_low(value));
create type with_low as (l low);
create type number;
create function number_in(cstring) returns number language internal immutable strict as 'int4in';
create function number_out(number) returns cstring language internal immutable strict as 'int4out';
create function number_modifier(cstring[]) returns int language internal immutable strict as 'varchartypmodin';
create type number (input = number_in, output = number_out, typmod_in = number_modifier, like = int4);
create function add_modifier(number, int) returns number language internal immutable strict as 'int4pl';
create cast (number as number) with function add_modifier(number, int);
create function number_equal(number, number) returns boolean language internal immutable strict as 'int4eq';
create function number_compare(number, number) returns int language internal immutable strict as 'btint4cmp';
create operator = (leftarg = number, rightarg = number, function = number_equal);
create operator < (leftarg = number, rightarg = number, function = number_equal);
create operator class number_ops default for type number using btree as operator 1 <, operator 3 =, function 1 number_compare(number, number);
create type with_number as (n number(3));
revoke execute on function is_low(int), add_modifier(number, int), number_equal(number, number), number_compare(number, number) from public;
create function convert_all() returns void language pllua_bg as $lua$
    local function try(...) print((select(2, pcall(...)))) end
    try(function() return pgtype.low(1) end)
    try(function() return pgtype.low:fromstring('1') end)
    try(function() return pgtype.with_low{l = 1} end)
    try(function() return pgtype.with_low:fromstring('(1)') end)
    try(function() return pgtype.array.low{1} end)
    try(function() return pgtype.array.low:fromstring('{1}') end)
    try(function() return spi.execute('select $1::low as l', 1)[1].l end)
    try(function() return pgtype.with_number{n = '1'} end)
    try(function() return pgtype.number('1') == pgtype.number('1') end)
    try(function() return pgtype.number('1') < pgtype.number('2') end)
$lua$;
select convert_all();
set role regress_cast_user;
select convert_all();
reset role;
begin;
select convert_all();
set local role regress_cast_user;
select convert_all();
rollback;
drop function convert_all();
drop type with_low, with_number;
drop domain low;
drop function is_low(int);
drop type number cascade;
drop function by_each_road(text, text), change_right(text);
drop table painted, painted_warm, many, paired;
drop cast (bigint as color);
drop cast (date as pair);
drop function to_color(bigint), to_pair(date);
drop domain warm;
drop type color, pair;
drop owned by regress_cast_user;
drop role regress_cast_user;
