-- Domains are their base type on the way to Lua, and are checked on the way back.
create schema types_domain;
set search_path = types_domain, public;
create domain positive as int check (value > 0);
create domain required as text not null;
create domain short as varchar(3) check (value <> 'bad');
create domain tight as positive check (value < 100);
create type pair as (a int, b text);
create domain good_pair as pair check ((value).a > 0);
create domain few as int[] check (array_length(value, 1) < 3);
create domain cents as numeric(6, 2);
create table holder (p positive, r required default 'x', s short, g good_pair, f few, c cents);

create function show(positive, short, good_pair, few, cents) returns text language pllua_bg as $$
    local p, s, g, f, c = ...
    return table.concat({math.type(p), type(s), type(g), type(f), type(c), tostring(g.a), tostring(f[1]), tostring(c)}, ' ')
$$;
select show(1, 'abc', row(1, 'x')::pair, '{7,8}', 1.005);
create function positive_of(int) returns positive language pllua_bg as 'return (...)';
create function tight_of(int) returns tight language pllua_bg as 'return (...)';
create function required_of(text) returns required language pllua_bg as 'return (...)';
create function short_of(text) returns short language pllua_bg as 'return (...)';
create function pair_of(int) returns good_pair language pllua_bg as 'return {a = (...), b = "x"}';
create function few_of(int) returns few language pllua_bg as 'local t = {} for i = 1, (...) do t[i] = i end return t';
create function cents_of(float8) returns cents language pllua_bg as 'return (...)';
\set VERBOSITY terse
select positive_of(1), positive_of(null), tight_of(99), required_of('x'), short_of('abc'), pair_of(1), few_of(2), cents_of(1.006);
select positive_of(-1);
select tight_of(-1);
select tight_of(100);
select required_of(null);
select short_of('bad');
select short_of('abcd');
select pair_of(-1);
select few_of(3);
select cents_of(123456);
create function holder_of(int) returns holder language pllua_bg as $$
    return ({{p = 1, r = 'y', s = 'abc', g = {a = 1}, f = {1}, c = 2.5}, {p = 0, r = 'y'}, {p = 1}, {r = 'y', g = {a = 0}},
             {r = 'y', f = {1, 2, 3}}})[...]
$$;
select holder_of(1);
select holder_of(2);
select holder_of(3);
select holder_of(4);
select holder_of(5);
-- A constraint added while the session runs holds at once.
alter domain positive add constraint odd check (value % 2 = 1);
select positive_of(3);
select positive_of(2);
do language pllua_bg $$
    print(pgtype.positive(5), pgtype(pgtype.positive(5)), pgtype.positive(nil))
    for _, f in ipairs{function() return pgtype.positive(-5) end, function() return pgtype.good_pair(-1, 'x') end,
                       function() return pgtype.required(nil) end, function() return pgtype.array.positive(1, -1) end} do
        print(pcall(f))
    end
$$;
set client_min_messages = warning;
drop schema types_domain cascade;
