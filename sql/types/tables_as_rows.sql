-- Tables as rows: fields by name, by place, through a metatable; narrow and wide.
create type small_row as (a int, b text, c date);
create function small(code text) returns small_row language pllua_bg as $$ return load('return ' .. code)() $$;
create function smalls(code text) returns setof small_row language pllua_bg as $$
  for i = 1, 2 do coroutine.yield(load('return ' .. code)()) end
$$;
create procedure try_row(code text) language plpgsql as $$
begin
    raise info '% %', small(code), (select array_agg(s) from smalls(code) s);
exception when others then raise info '% %', sqlstate, sqlerrm;
end $$;
call try_row('{a = 1, b = "x", c = "2020-02-03"}');
call try_row('{c = "2020-02-03", a = 1}');
call try_row('{}');
call try_row('{5, "five"}');
call try_row('{5, b = "five"}');
call try_row('{a = 1, d = 2}');
call try_row('{a = 1, [true] = 2}');
call try_row('{a = 1, [2.5] = 2}');
call try_row('{[0] = 1}');
-- the first column that does not fit is named, then what is no column
call try_row('{c = "no date", a = "no integer", d = 1}');
call try_row('{c = "no date", d = 1}');
-- through a metatable
call try_row('setmetatable({b = "own"}, {__index = {a = 3, b = "other"}})');
call try_row('setmetatable({b = "own", z = 1}, {})');
call try_row('setmetatable({}, {__index = function(t, k) return k == "a" and 4 or nil end})');
-- one column, a dropped column, and many
create type one_row as (a text);
create function one() returns one_row language pllua_bg as $$ return {a = 'x'} $$;
select one();
alter type small_row drop attribute b, add attribute e text;
\c -
call try_row('{a = 1, c = "2020-02-03", e = "added"}');
call try_row('{a = 1, b = "dropped"}');
do $$ begin execute (select 'create type wide_row as (' || string_agg('c' || i || ' int', ', ') || ')' from generate_series(1, 40) i); end $$;
create function wide(n int) returns wide_row language pllua_bg as $$
  local t = {}
  for i = 1, n do t['c' .. i] = i end
  return t
$$;
select wide(40), wide(2);
select wide(41);
drop procedure try_row;
drop function small, smalls, one, wide;
drop type small_row, one_row, wide_row;
