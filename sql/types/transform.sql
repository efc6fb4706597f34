-- Transforms: a pair of functions of the language, in the language, says what values of a type are in Lua.
create type shade as enum ('light', 'dark');
create function shade_to_lua(val internal) returns internal language pllua_bg strict immutable as $$ return {name = val, dark = val == 'dark'} $$;
create function shade_from_lua(val internal) returns shade language pllua_bg strict immutable as $$
  if type(val) ~= 'table' then return val end
  return val.dark and 'dark' or 'light'
$$;
create function plain(s shade) returns text language pllua_bg as $$ return type(s) $$;
select plain('dark');
create transform for shade language pllua_bg (from sql with function shade_to_lua(internal), to sql with function shade_from_lua(internal));
select plain('dark');
-- arguments, results, NULL, sets, rows, arrays, domains, polymorphic, parameters, rows of commands
create function t_in(s shade) returns text transform for type shade language pllua_bg as $$ return s and s.name .. ' ' .. tostring(s.dark) $$;
select t_in('dark'), t_in('light'), t_in(null);
create function t_out(b bool) returns shade transform for type shade language pllua_bg as $$ if b == nil then return nil end return {dark = b} $$;
select t_out(true), t_out(false), t_out(null);
create function t_string() returns shade transform for type shade language pllua_bg as $$ return 'dark' $$;
create function t_wrong() returns shade transform for type shade language pllua_bg as $$ return 'grey' $$;
create function t_object() returns shade transform for type shade language pllua_bg as $$ return pgtype.shade {dark = true} $$;
select t_string(), t_object();
select t_wrong();
create function t_set() returns setof shade transform for type shade language pllua_bg as $$ for i = 1, 3 do coroutine.yield {dark = i % 2 == 0} end $$;
select t_set();
select * from t_set();
create function t_columns(out i int, out s shade) transform for type shade language pllua_bg as $$ return 1, {dark = true} $$;
select * from t_columns();
create function t_array(a shade[]) returns shade[] transform for type shade language pllua_bg as $$
  local t = {}
  for i = 1, #a do t[i] = {dark = not a[i].dark} end
  return t
$$;
select t_array(array['dark', 'light', 'light']::shade[]);
create domain only_dark as shade check (value = 'dark');
create function t_domain(s only_dark, b bool) returns only_dark transform for type shade language pllua_bg as $$ return {dark = s.dark and b} $$;
select t_domain('dark', true);
select t_domain('dark', false);
create function t_any(s anyelement) returns anyelement language pllua_bg as $$ print(type(s)) return s $$;
select t_any('dark'::shade), t_any(1);
create table shades (i int, s shade);
create function t_trigger() returns trigger language pllua_bg as $$ new.s = {dark = not new.s.dark} $$;
create trigger t before insert on shades for each row execute function t_trigger();
insert into shades values (1, 'dark'), (2, 'light');
do language pllua_bg $$
  for row in spi.rows('select i, s from shades order by i') do print(row.i, row.s.name) end
  print(spi.execute('select count(*) from shades where s = $1', {dark = true}).value, pgtype.shade {dark = true}, tostring(pgtype.shade 'light'))
  print(pcall(spi.execute, 'select $1::shade', 5))
  print(spi.execute('select $1::shade', setmetatable({}, {__index = {dark = true}})).value.name)
$$;
-- the untrusted language has its own
do language pllua_bgu $$ print(spi.execute("select 'dark'::shade").value) $$;
create function shade_to_untrusted(val internal) returns internal language pllua_bgu strict immutable as $$ return #val $$;
create transform for shade language pllua_bgu (from sql with function shade_to_untrusted(internal));
do language pllua_bgu $$ print(spi.execute("select 'dark'::shade").value, spi.execute('select $1::shade', 'dark').value) $$;
do language pllua_bg $$ print(spi.execute("select 'dark'::shade").value.dark) $$;
-- what the functions do wrong is an error of the conversion
create or replace function shade_to_lua(val internal) returns internal language pllua_bg strict immutable as $$ if val == 'light' then error('too light', 0) end return nil $$;
do language pllua_bg $$
  print(spi.execute("select 'dark'::shade").value)
  print(pcall(spi.execute, "select 'light'::shade"))
  print(pcall(spi.execute, "select 'light'::shade"))
$$;
select t_in('light');
create or replace function shade_to_lua(val internal) returns internal language pllua_bg strict immutable as $$ return val, 1 $$;
select t_in('light');
create or replace function shade_from_lua(val internal) returns shade language pllua_bg strict immutable as $$ return nil $$;
select t_out(true);
create or replace function shade_from_lua(val internal) returns shade language pllua_bg strict immutable as $$ return {dark = true} $$;
select t_out(true);
create or replace function shade_from_lua(val internal) returns shade language pllua_bg strict immutable as $$ return spi.execute('select $1::shade', val).value $$;
\set VERBOSITY sqlstate
select t_out(true);
\set VERBOSITY default
create or replace function shade_from_lua(val internal) returns shade language pllua_bg strict immutable as $$ return 'light' $$;
select t_out(true);
-- as another user, and by functions that belong to no superuser, which do not count
create role transform_user;
grant create, usage on schema public to transform_user;
create or replace function shade_to_lua(val internal) returns internal language pllua_bg strict immutable as $$ return {name = val} $$;
set role transform_user;
do language pllua_bg $$ print(type(spi.execute("select 'dark'::shade").value)) $$;
create type own_type as enum ('a', 'b');
create function own_to_lua(val internal) returns internal language pllua_bg strict immutable as $$ print('as ' .. spi.execute('select current_user').value) return {} $$;
create transform for own_type language pllua_bg (from sql with function own_to_lua(internal));
do language pllua_bg $$ print(spi.execute("select 'a'::own_type").value) $$;
reset role;
do language pllua_bg $$ print(spi.execute("select 'a'::own_type").value) $$;
-- what counts follows who owns them, and what he may
alter function shade_to_lua owner to transform_user;
do language pllua_bg $$ print(type(spi.execute("select 'dark'::shade").value)) $$;
alter role transform_user superuser;
do language pllua_bg $$ print(type(spi.execute("select 'dark'::shade").value)) $$;
alter role transform_user nosuperuser;
do language pllua_bg $$ print(type(spi.execute("select 'dark'::shade").value)) $$;
alter function shade_to_lua owner to current_user;
do language pllua_bg $$ print(type(spi.execute("select 'dark'::shade").value)) $$;
drop owned by transform_user cascade;
drop role transform_user;
-- functions of another language know nothing of Lua values, and do not count
create type other_language as enum ('a', 'b');
create transform for other_language language pllua_bg (from sql with function textlike_support(internal));
do language pllua_bg $$ print(spi.execute("select 'a'::other_language").value) $$;
drop type other_language cascade;
-- without it values are what they were
set client_min_messages = warning;
drop transform for shade language pllua_bg cascade;
reset client_min_messages;
select plain('dark');
do language pllua_bg $$ print(spi.execute("select 'dark'::shade").value) $$;
\set VERBOSITY terse
set client_min_messages = warning;
drop type shade cascade;
drop table shades;
drop function t_trigger, shade_to_lua, shade_to_untrusted, t_any;
