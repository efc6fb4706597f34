-- The name of a cursor in a session is no cursor of ours, also where one of ours has the name; and a
-- cursor of ours goes to a session as its name.
create function cn_open() returns refcursor language plpgsql as
  $$ declare c refcursor := 'cn_cursor'; begin open c for select 'THEIRS' as w; return c; end $$;
create function cn_fetch(c refcursor) returns text language plpgsql as
  $$ declare r record; begin fetch c into r; return r::text; end $$;
create domain cn_domain as refcursor;
create domain cn_domain_2 as cn_domain;
create type cn_row as (c refcursor, n int);
create type cn_outer as (r cn_row, t text);
create table cn_table (c cn_domain, n int);

begin;
declare cn_cursor cursor for select 'MINE' as w;
do language pllua_bg $$
  local s <close> = bg.launch()
  s:begin()
  local name = s:exec('select cn_open()').value
  print(type(name), name)
  print(s:exec('select cn_fetch($1)', name).value)
  for _, sql in ipairs {
    "select 'cn_cursor'::refcursor", "select 'cn_cursor'::cn_domain", "select 'cn_cursor'::cn_domain_2", "select null::refcursor",
    "select array['cn_cursor'::refcursor, null]", "select array['cn_cursor'::cn_domain]", "select array[['cn_cursor'::refcursor]]",
    "select row('cn_cursor', 1)::cn_row", "select array[row('cn_cursor', 1)::cn_row]", "select row(row('cn_cursor', 1), 'x')::cn_outer",
    "select row('cn_cursor'::refcursor)", "insert into cn_table values ('cn_cursor', 1) returning c", "select cn_table from cn_table",
  } do
    local r = s:exec(sql)
    print(sql, type(r.value), r.value, r.columns[1].type)
    if type(r.value) == 'userdata' and not sql:find('[[', 1, true) then print(type(r.value[1]), r.value[1]) end
  end
  for row in s:rows("select 'cn_cursor'::refcursor as c, 1 as n") do print(type(row.c), row.c, row.n) end
  local st <close> = s:prepare("select 'cn_cursor'::refcursor as c")
  print(type(st:exec().value))
  -- what it is here
  print(type(spi.execute('select $1::refcursor as c', 'cn_cursor').value), spi.findcursor('cn_cursor'):fetch()[1])

  -- the other way
  local mine = spi.findcursor('cn_cursor')
  print(s:exec('select $1', mine).value, s:exec('select $1::refcursor', mine).value, s:exec('select $1::cn_domain', mine).value)
  print(s:exec("select $1::jsonb, $2::text[], $3::refcursor[], ($4::cn_row).c", {c = mine}, {mine}, {mine}, {c = mine, n = 1})[1])
  local pt <close> = s:prepare('select cn_fetch($1)', {'refcursor'})
  print(pt:exec(mine).value)
  for row in s:rows('select $1 as c', mine) do print(row.c) end
  local _, err = pcall(s.exec, s, 'select $1', spi.newcursor())
  print(err)
$$;
select bg.launch() as pid \gset
select bg.run(:pid, $$select 'cn_cursor'::refcursor, array['cn_cursor'::refcursor], row('cn_cursor', 1)::cn_row$$) \gset cn_
select * from bg.result(:pid) as (c text, a text, r text);
select bg.run(:pid, $$select 'cn_cursor'::refcursor, array['cn_cursor'::refcursor], row('cn_cursor', 1)::cn_row$$) \gset cn_
select * from bg.result(:pid) as (c refcursor, a refcursor[], r cn_row);
select bg.run(:pid, 'select $1', 'cn_cursor'::refcursor) \gset cn_
select * from bg.result(:pid) as (c text);
select bg.detach(:pid) \gset cn_
commit;
drop table cn_table;
drop function cn_open, cn_fetch;
drop type cn_outer, cn_row;
drop domain cn_domain_2, cn_domain;
