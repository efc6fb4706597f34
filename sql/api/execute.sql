-- spi.execute and spi.execute_count: what they return for each kind of command, as pllua does.
create table spi_t (id int, name text);

do language pllua_bg $$
  local function show(what, r)
    if type(r) ~= 'table' then return print(what, math.type(r), r) end
    local rows = {}
    for i, row in ipairs(r) do rows[i] = tostring(row) end
    print(what, 'table', #r, r.n, r.tag, table.concat(rows, ' '))
  end
  show('insert', spi.execute("insert into spi_t values (1, 'a'), (2, 'b')"))
  show('select', spi.execute('select * from spi_t order by id'))
  show('nothing', spi.execute('select * from spi_t where false'))
  show('returning', spi.execute("insert into spi_t values (3, 'c') returning id, name"))
  show('returning nothing', spi.execute('delete from spi_t where false returning id'))
  show('update', spi.execute('update spi_t set id = id + 10'))
  show('delete', spi.execute('delete from spi_t where id = 13'))
  show('merge', spi.execute([[merge into spi_t using (values (11), (99)) v (x) on id = x
    when matched then update set name = 'merged' when not matched then insert values (x, 'new')]]))
  show('create', spi.execute('create temp table spi_u as select * from spi_t'))
  show('drop', spi.execute('drop table spi_u'))
  show('explain', spi.execute('explain (costs off) select 1'))
  show('show', spi.execute('show standard_conforming_strings'))
  show('empty', spi.execute(''))
  show('comment', spi.execute('-- nothing to do'))
  show('several', spi.execute('select 1 as a; select 2 as b, 3 as c'))
  show('several, rows first', spi.execute('select 1 as a; update spi_t set id = id'))
  show('several, utility last', spi.execute("select 1 as a; set local work_mem = '5MB'"))
  show('declare', spi.execute('declare spi_c cursor for select generate_series(1, 5) as x'))
  show('fetch', spi.execute('fetch 2 from spi_c'))
  show('move', spi.execute('move 1 in spi_c'))
  show('fetch', spi.execute('fetch all from spi_c'))
  show('close', spi.execute('close spi_c'))
  show('values', spi.execute('values (1), (2)'))
  show('table', spi.execute('table spi_t order by id'))
$$;

-- CREATE TABLE AS counts its rows, and a rule may make another command of an INSERT
do language pllua_bg $$
  print(spi.execute('create temp table spi_v as select generate_series(1, 7) as x'))
  spi.execute('create view spi_w as select * from spi_t')
  spi.execute('create rule r as on insert to spi_w do instead update spi_t set name = new.name')
  print(spi.execute("insert into spi_w values (1, 'by rule')"))
  print(spi.execute('select distinct name from spi_t').value)
$$;

-- a limit
do language pllua_bg $$
  print(spi.execute_count('select generate_series(1, 100)', 3).n)
  print(spi.execute_count('select generate_series(1, $1)', 3, 100).n)
  print(spi.execute_count('select generate_series(1, $1)', 0, 100).n)
  print(spi.execute_count('select generate_series(1, $1)', nil, 100).n)
  for _, limit in ipairs {-1, 2^40} do print(pcall(spi.execute_count, 'select 1', limit)) end
  print(pcall(spi.execute_count, 'select 1', 'x'))
$$;

-- refused
do language pllua_bg $$ spi.execute() $$;
do language pllua_bg $$ spi.execute(nil) $$;
do language pllua_bg $$ spi.execute({}) $$;
do language pllua_bg $$ spi.execute(5) $$;
do language pllua_bg $$ spi.execute('commit') $$;
do language pllua_bg $$ spi.execute('copy spi_t to stdout') $$;
do language pllua_bg $$ spi.execute('copy spi_t from stdin') $$;
do language pllua_bg $$ spi.execute('selec') $$;
do language pllua_bg $$ spi.execute('select * from no_such_table') $$;
do language pllua_bg $$ spi.execute('select 1/0') $$;

-- a function that is not volatile may only read, and sees one snapshot
create function spi_stable() returns text stable language pllua_bg as $$
  print(spi.execute('select count(*) as c from spi_t').value > 0)
  spi.execute("insert into spi_t values (100, 'x')")
$$;
select spi_stable();
create function spi_volatile() returns bigint language pllua_bg as $$
  local before = spi.execute('select count(*) as c from spi_t').value
  spi.execute("insert into spi_t values (100, 'x')")
  return spi.execute('select count(*) as c from spi_t').value - before
$$;
select spi_volatile();

-- recursion through one statement
create function spi_factorial(n int) returns bigint language pllua_bg as $$
  if n <= 1 then return 1 end
  return n * spi.execute('select spi_factorial($1)', n - 1).value
$$;
select spi_factorial(15);
create function spi_endless(n int) returns int language pllua_bg as $$
  return spi.execute('select spi_endless($1)', n + 1).value
$$;
do language plpgsql $$ begin perform spi_endless(1);
exception when statement_too_complex then raise info '%: %', sqlstate, sqlerrm; end $$;
select spi_factorial(5);

drop view spi_w;
drop table spi_t cascade;
drop function spi_stable, spi_volatile, spi_factorial, spi_endless;
