-- Prepared statements: declared and inferred types, options, methods.
create table prep_t (id int primary key, name text);
insert into prep_t select i, 'name ' || i from generate_series(1, 100) i;

do language pllua_bg $$
  local s = spi.prepare('select $1 + $2 as sum', {'int4', 'int8'})
  print(s:numargs(), s:argtype(1):name(), s:argtype(2):name())
  print(s:execute(1, 2).value, s:execute(10, 20)[1].sum, spi.execute(s, 4, 5).value)
  print((tostring(s):gsub('0x%x+', 'ADDRESS')))
  print(s:save() == s, s:issaved(), s.no_such_method)
  print(pcall(s.argtype, s, 3))
  print(pcall(s.argtype, s, 0))
  print(pcall(s.execute, s, 1))
  print(pcall(s.execute, s, 1, 2, 3))
$$;

-- types: by name, as objects, with holes, left out
do language pllua_bg $$
  for _, types in ipairs {{'integer'}, {pgtype.int4}, {'pg_catalog.int4'}, {}, {nil, 'text'}} do
    local s = spi.prepare("select name from prep_t where id = $1 and coalesce($2, '') <> 'x'", types)
    print(s:numargs(), s:argtype(1):name(), s:argtype(2):name(), s:execute(7, nil).value)
  end
  print(spi.prepare('select 1', {'int4'}):numargs())
  print(spi.prepare('select $2::int'):numargs(), spi.prepare('select $2::int'):argtype(1))
  print(spi.prepare("select '$5', $1::date"):numargs())
$$;
do language pllua_bg $$ spi.prepare('select 1', {'no_such_type'}) $$;
do language pllua_bg $$ spi.prepare('select $1', {true}) $$;
do language pllua_bg $$ for _, oid in ipairs{1, -1, 2^32 | 0} do print(pcall(spi.prepare, 'select $1', {oid})) end print(spi.prepare('select $1', {0}):argtype(1)) $$;
do language pllua_bg $$ spi.prepare('select $1 + $1', {'date'}) $$;
do language pllua_bg $$ spi.prepare() $$;
do language pllua_bg $$ spi.prepare('selec') $$;

-- options
do language pllua_bg $$
  for _, options in ipairs {{scroll = true}, {scroll = false}, {no_scroll = true}, {fast_start = true},
                            {custom_plan = true}, {generic_plan = true}, {fetch_count = 7}, {fetch_count = 0}} do
    local s = spi.prepare('select name from prep_t where id < $1', {'int4'}, options)
    local n = 0
    for row in s:rows(20) do n = n + 1 end
    print(s:execute(10).n, n)
  end
  print(pcall(spi.prepare, 'select 1', {}, {scroll = true, no_scroll = true}))
  print(pcall(spi.prepare, 'select 1', {}, {fetch_count = 'many'}))
$$;

-- limits, several commands in one statement, commands without rows
do language pllua_bg $$
  local s = spi.prepare('select id from prep_t order by id')
  print(s:execute_count(3).n, s:execute_count(0).n, pcall(s.execute_count, s, -1))
  local several = spi.prepare("update prep_t set name = $1 where id = 1; select name from prep_t where id = 1")
  print(several:execute('new name').value)
  print(spi.prepare('delete from prep_t where id > $1'):execute(50))
$$;

-- a statement keeps working when what it uses changes
do language pllua_bg $$
  local s = spi.prepare('select * from prep_t where id = $1')
  print(s:execute(1)[1])
  spi.execute("alter table prep_t add column extra text default 'e'")
  print(s:execute(1)[1], #s:execute(1).columns, s:execute(1)[1].extra)
  spi.execute('alter table prep_t drop column name')
  print(s:execute(1)[1], #s:execute(1).columns)
  print(pcall(function() return s:execute(1)[1].name end))
  spi.execute('drop table prep_t')
  local ok, e = pcall(s.execute, s, 1)
  print(ok, e.sqlstate, e.message)
  spi.execute('create table prep_t (id int, other int)')
  spi.execute('insert into prep_t values (1, 2)')
  print(s:execute(1)[1].other)
$$;

drop table prep_t;
