-- The plans behind spi.execute follow what they were made for.
create table pc_t (id int, v text);
insert into pc_t values (1, 'one'), (2, 'two');
create function pc_get(i int) returns text language pllua_bg as $$
  return tostring(spi.execute('select * from pc_t where id = $1', i)[1])
$$;

select pc_get(1);
alter table pc_t add column z int default 5;
select pc_get(2);
-- another type of parameter is inferred
alter table pc_t alter column id type text;
select pc_get(2);
alter table pc_t drop column v;
select pc_get(2);
create schema pc_s;
create table pc_s.pc_t (id bigint, k text);
insert into pc_s.pc_t values (2, 'in another schema');
set search_path = pc_s, public;
select pc_get(2);
reset search_path;
select pc_get(2);
drop table pc_t;
select pc_get(2);
create table pc_t (id numeric);
insert into pc_t values (2.0);
select pc_get(2);

-- a bounded number of plans is kept
do language pllua_bg $$
  local memory = spi.prepare([[select sum(total_bytes)::float8 from pg_backend_memory_contexts
                               where name in ('CachedPlan', 'CachedPlanSource', 'CachedPlanQuery', 'SPI Plan')]])
  local function run(from, to) for i = from, to do spi.execute('select ' .. i) end collectgarbage() collectgarbage() end
  run(1, 2000)
  local before = memory:execute().value
  run(2001, 6000)
  local after = memory:execute().value
  print(after < before * 1.5 or before .. ' became ' .. after)
$$;

-- a transition table hides a table of the same name, in its trigger only
create table pc_rows (x text);
insert into pc_rows values ('the table');
create function pc_trigger() returns trigger language pllua_bg as $$
  print(spi.execute('select * from pc_rows')[1])
$$;
create table pc_a (a int);
create table pc_b (b1 date, b2 text);
create trigger a after insert on pc_a referencing new table as pc_rows for each statement execute function pc_trigger();
create trigger b after insert on pc_b referencing new table as pc_rows for each statement execute function pc_trigger();
do language pllua_bg $$ print(spi.execute('select * from pc_rows')[1]) $$;
insert into pc_a values (1);
insert into pc_b values ('2020-01-01', 'b');
do language pllua_bg $$ print(spi.execute('select * from pc_rows')[1]) $$;
insert into pc_a values (2);

drop table pc_t, pc_s.pc_t, pc_rows, pc_a, pc_b;
drop schema pc_s;
drop function pc_get, pc_trigger;
