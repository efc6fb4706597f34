-- bg.import: functions of SQL as functions of Lua.
create schema api_import;
set search_path = api_import;
create function plus(a int, b int default 10, c int default 100) returns int language sql as 'select a + b + c';
create function over(int) returns text language sql as $$ select 'int ' || $1 $$;
create function over(text) returns text language sql as $$ select 'text ' || $1 $$;
create function over(anyelement, int) returns text language sql as $$ select pg_typeof($1) || ' ' || $2 $$;
create function twice(anyelement) returns anyelement language sql as 'select $1';
create function sum_of(label text, variadic items int[]) returns text language sql as $$ select label || ' ' || cardinality(items) || ' ' || coalesce(items::text, '-') $$;
create function kinds(variadic "any") returns text language pllua_bg as $$ return select('#', ...) .. ' ' .. type((...)) $$;
create function keys(j jsonb) returns text language sql as $$ select string_agg(k, ' ' order by k) from jsonb_object_keys(j) k $$;
create type point3 as (x int, y int, z int);
create function length2(p point3) returns int language sql as 'select p.x * p.x + p.y * p.y + p.z * p.z';
create function mirror(p point3) returns point3 language sql as 'select row(-p.x, -p.y, -p.z)::point3';
create function halves(n int, out half int, out rest int) language sql as 'select n / 2, n % 2';
create function anything() returns record language sql as $$ select 1, 'x'::text $$;
create function series(n int) returns setof int language sql as 'select generate_series(1, n)';
create function with_null() returns setof int language sql as 'select unnest(array[1, null, 3])';
create function squares(n int) returns table (i int, square int) language sql as 'select i, i * i from generate_series(1, n) i';
create function points() returns setof point3 language sql as 'values (1, 2, 3), (null, null, 6)';
create function records() returns setof record language sql as $$ values (1, 'a'::text), (2, 'b') $$;
create function nothing() returns void language sql as '';
create function "Odd Name"("in" int, "Größe" int default 2) returns int language sql as 'select "in" * "Größe"';
create procedure swap(inout a int, inout b int, c int default 5) language plpgsql as $$ declare t int := a; begin a := b + c; b := t; end $$;
create procedure tell(n int, out doubled int, out text_of text) language plpgsql as $$ begin doubled := n * 2; text_of := 'n' || n; end $$;
create procedure quiet(n int) language plpgsql as $$ begin raise notice 'quiet %', n; end $$;
create table kept (n int);
create procedure commits(n int) language plpgsql as $$ begin for i in 1..n loop insert into kept values (i); commit; end loop; end $$;

-- by place
do language pllua_bg $$
  local plus = bg.import 'plus'
  print(type(plus), plus(1), plus(1, 2), plus(1, 2, 3), plus(1, nil))
  print(plus('1', pgtype.numeric(2)))
  print(bg.import('api_import.plus')(1), bg.import('"plus"')(1), bg.import('PLUS')(1))
  print(bg.import('over(int)')(1), bg.import('over( text )')(1), bg.import('over(anyelement,int)')('x', 2))
  print(bg.import('twice')(1), bg.import('twice')(1.5), bg.import('twice')('x'), bg.import('twice')(pgtype.date('2020-01-02')))
  print(bg.import('upper(text)')('abc'), bg.import('pg_catalog.lower(text)')('ABC'))
  print(bg.import('keys')({a = 1, b = {c = 2}}), bg.import('length2')({x = 1, y = 2, z = 3}))
  print(bg.import('mirror')({x = 1, y = 2}).x, bg.import('mirror')(nil))
  print(pcall(bg.import, 'Odd Name'))
$$;
do language pllua_bg $$
  print(bg.import '"Odd Name"' (4))
  print(bg.import('"Odd Name"', {named = true}) {['in'] = 4, ['Größe'] = 3})
  print(pcall(bg.import('plus'), 1.5))
  print(pcall(bg.import('plus')))
  print(pcall(bg.import('plus'), 1, 2, 3, 4))
  print(pcall(bg.import('over(int)')))
  print(pcall(bg.import('nothing'), 1))
  print(select('#', bg.import('nothing')()))
  -- a function where Lua wants one
  print(('a-b'):gsub('%a', bg.import('over(text)')))
$$;

-- by name
do language pllua_bg $$
  local plus = bg.import('plus', {named = true})
  print(plus{a = 1}, plus{a = 1, c = 0}, plus{c = 3, b = 2, a = 1}, plus{})
  print(pcall(plus, {a = 1, d = 2}))
  print(pcall(plus, {1, 2}))
  print(pcall(plus, 1))
  local keys = bg.import('keys', {named = true})
  print(keys{j = {x = 1}})
  local sum_of = bg.import('sum_of', {named = true})
  print(sum_of{label = 'l', items = {1, 2, 3}}, sum_of{label = 'l', items = {}})
  print(pcall(bg.import, 'over(int)', {named = true}))
  print(pcall(bg.import, 'plus', {name = true}))
  print(pcall(bg.import, 'plus', true))
  local interval = bg.import('make_interval', {named = true})
  print(interval{days = 2, hours = 3})
$$;

-- variadic
do language pllua_bg $$
  local sum_of = bg.import 'sum_of'
  print(sum_of('a', 1), sum_of('a', 1, nil, 3, nil))
  print(sum_of('a'))
  print(pcall(sum_of))
  print(pcall(sum_of, 'a', {1, 2}))
  local many = {}
  for i = 1, 99 do many[i] = i end
  print(#sum_of('a', table.unpack(many)), pcall(sum_of, 'a', 0, table.unpack(many)))
  print(bg.import('kinds')(1, 'x', true), bg.import('concat_ws')('-', 1, 'b', nil, 2.5))
$$;

-- rows and sets
do language pllua_bg $$
  local half = bg.import 'halves' (7)
  print(half.half, half.rest, half)
  print(bg.import('anything')())
  for n in bg.import 'series' (3) do print(n) end
  for row in bg.import 'squares' (2) do print(row.i, row.square) end
  for p in bg.import 'points' () do print(p, p.z) end
  for r in bg.import 'records' () do print(r) end
  for k in bg.import 'jsonb_object_keys' ('{"a": 1, "b": 2}') do print(k) end
  for e in bg.import 'unnest(anyarray)' (pgtype.array.int4(4, 5)) do print(e) end
  for n in bg.import 'series' (1000000) do if n == 3 then break end end
  print(pcall(function() for n in bg.import 'with_null' () do print(n) end end))
  for row in bg.import('squares', {named = true}) {n = 1} do print(row) end
$$;

-- procedures
do language pllua_bg $$
  local swapped = bg.import 'swap' (1, 2)
  print(swapped.a, swapped.b)
  swapped = bg.import 'swap' (1, 2, 3)
  print(swapped.a, swapped.b, bg.import('swap', {named = true}) {a = 1, b = 2, c = 0})
  print(bg.import 'tell' (4), bg.import('tell', {named = true}) {n = 5})
  print(select('#', bg.import 'quiet' (4)))
  bg.import 'commits' (2)
  spi.rollback()
  print(spi.execute('select count(*) from kept').value)
$$;

-- what is none, what is many, what is no function
do language pllua_bg $$
  for _, name in ipairs {'nosuch', 'nosuch(int)', 'nowhere.f', 'over', 'abs', 'avg', 'sum(int)', 'rank', 'row_number()', 'a.b.c', '', 'x(', 'f y'} do
    local ok, e = pcall(bg.import, name)
    print(name, ok, e, e.hint)
  end
  print(pcall(bg.import))
  print(pcall(bg.import, 5))
$$;

-- the current user needs the right to execute it, when it is imported and when it is called
create role regress_api_import;
grant usage on schema api_import to regress_api_import;
revoke execute on function plus, halves from public;
create schema api_hidden;
create function api_hidden.f() returns int language sql as 'select 1';
set role regress_api_import;
do language pllua_bg $$
  print(pcall(bg.import, 'plus'))
  print(pcall(bg.import, 'plus(int,int,int)'))
  print(pcall(bg.import, 'api_hidden.f'))
$$;
reset role;
grant execute on function plus to regress_api_import;
set role regress_api_import;
do language pllua_bg $$ _G.plus = bg.import 'plus' print(plus(1)) $$;
reset role;
revoke execute on function plus from regress_api_import;
set role regress_api_import;
do language pllua_bg $$ print(pcall(plus, 1)) print(pcall(plus, 1, 2)) $$;
reset role;
-- nothing of the caller's search_path takes the place of the catalog
do language pllua_bg $$
  spi.execute('create function api_import.parse_ident(text) returns text[] language sql as $f$ select array[1/0]::text[] $f$')
  spi.execute('set local search_path = api_import, pg_catalog')
  print(bg.import 'plus' (1))
$$;
-- a function that changes
do language pllua_bg $$
  local plus = bg.import 'plus'
  spi.execute('create or replace function plus(a int, b int default 0, c int default 0) returns int language sql as $f$ select a * 1000 $f$')
  print(plus(1))
  spi.execute('drop function plus(int, int, int)')
  print(pcall(plus, 1))
  spi.execute('create function plus(int) returns int language sql as $f$ select $1 + 1 $f$')
  print(plus(1))
  spi.execute('drop function plus(int)')
  spi.execute('create function plus(int) returns setof int language sql as $f$ select 1 where false $f$')
  print(pcall(plus, 1))
$$;
-- names with parentheses and quotes
create function "f(""x" (int) returns int language sql as 'select $1';
do language pllua_bg $$ print(bg.import 'api_import."f(""x"' (1), bg.import '"f(""x"(int)' (2)) $$;

set client_min_messages = warning;
drop schema api_import, api_hidden cascade;
drop role regress_api_import;
-- without the globals of the modules
\c -
set pllua_bg.install_globals = off;
create table pg_temp.numbered (id int primary key);
insert into numbered select generate_series(1, 3);
do language pllua_bg $$
  local bg = require 'bg'
  print(spi, bg.import 'generate_series(int, int)' (1, 1)())
  for c in bg.chunks('numbered', {rows = 2}) do print(c.lo, c.hi) end
$$;
