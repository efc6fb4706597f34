-- spi.rows and statement:rows: iterating in constant memory.
create table rows_t as select i as id, 'row ' || i as t from generate_series(1, 2500) i;

do language pllua_bg $$
  local n, sum = 0, 0
  for row in spi.rows('select * from rows_t order by id') do
    n, sum = n + 1, sum + row.id
    if row.id ~= n or row.t ~= 'row ' .. n then error('wrong row') end
  end
  print(n, sum)
  for row in spi.rows('select * from rows_t where id between $1 and $2 order by id', 7, 9) do print(row) end
  for row in spi.rows('select 1 where false') do print('never') end
  local s = spi.prepare('select id from rows_t where id <= $1', {'int4'}, {fetch_count = 2})
  n = 0
  for row in s:rows(5) do n = n + 1 end
  for row in spi.rows(s, 5) do n = n + 1 end
  print(n)
$$;

-- leaving the loop early closes the portal at once; an iterator without a loop does at its end
do language pllua_bg $$
  -- pg_cursors does not show the portals of loops
  local function portals() return spi.execute("select count(*) from pg_backend_memory_contexts where name = 'PortalContext'").value end
  local before = portals()
  local function open() return portals() - before end
  for row in spi.rows('select * from rows_t') do break end
  print(open())
  pcall(function() for row in spi.rows('select * from rows_t') do error('out') end end)
  print(open())
  local next_row = spi.rows('select generate_series(1, 2) as x')
  print(next_row().x, next_row().x, next_row(), next_row(), open())
  next_row = spi.rows('select * from rows_t')
  next_row()
  print(open())
  next_row = nil
  collectgarbage() collectgarbage()
  print(open())
$$;

-- writing commands with rows can be iterated, others not
do language pllua_bg $$
  for row in spi.rows('update rows_t set t = t || $1 where id < 3 returning *', '!') do print(row) end
  print(pcall(spi.rows, 'update rows_t set t = t'))
  print(pcall(spi.rows, 'select $1::int', 1, 2))
  print(pcall(spi.rows))
$$;

-- an error in the middle
do language pllua_bg $$
  local seen = 0
  local ok, e = pcall(function()
    for row in spi.rows('select 1 / (120 - i) as x from generate_series(1, 200) i') do seen = seen + 1 end
  end)
  print(ok, e.sqlstate, seen)
  local next_row = spi.rows('select 1 / (2 - i) as x from generate_series(1, 5) i')
  print(pcall(next_row))
  print(pcall(next_row))
$$;

-- a portal that is closed under the loop
do language pllua_bg $$
  local c = spi.newcursor('rows_c'):open('select generate_series(1, 3) as x')
  local next_row = c:rows()
  print(next_row().x)
  spi.execute('close rows_c')
  print(pcall(next_row))
$$;

-- memory stays flat
do language pllua_bg $$
  local memory = spi.prepare("select sum(used_bytes)::float8 from pg_backend_memory_contexts")
  local least, most = math.huge, 0
  local n = 0
  for row in spi.rows("select i, 'some text ' || i as t from generate_series(1, 200000) i") do
    n = n + 1
    if n % 20000 == 0 then
      local used = memory:execute().value
      least, most = math.min(least, used), math.max(most, used)
    end
  end
  print(n, most - least < 4e6 or most - least)
  for i = 1, 20000 do spi.execute('select $1::text', 'a parameter of some length') end
  print(memory:execute().value - most < 1e6)
$$;

-- Lua code that runs while a row is made cannot take the batch away
do language pllua_bg $$
  local next_row = spi.rows("select i, repeat(chr(65 + i % 26), 100) as t from generate_series(1, 2000) i")
  local ran = 0
  local function litter()
    setmetatable({}, {__gc = function()
      ran = ran + 1
      pcall(next_row)
      spi.execute('select count(*) from generate_series(1, 3)')
    end})
  end
  while true do
    for _ = 1, 5 do litter() end
    local ok, row = pcall(next_row)
    if not ok or row == nil then break end
    if row.t ~= string.rep(string.char(65 + row.i % 26), 100) then error('a row was overwritten') end
  end
  print(ran > 0)
$$;

-- columns as values
do language pllua_bg $$
  local sum, last = 0
  for id, t in spi.values('select i, case when i % 2 = 0 then i::text end from generate_series(1, 2500) i') do sum, last = sum + id, t end
  print(sum, last)
  for n, j, a, r in spi.values([[select $1::numeric + n, '{"a": 1}'::jsonb, array[n, 2], row(n, 'x') from generate_series(1, 2) n]], 1.5) do print(n, j.a, a[1], r, type(r)) end
  local s = spi.prepare('select n, n * $1 from generate_series(1, 3) n', {'int4'})
  for a, b in s:values(10) do print(a, b) end
  for a, b in spi.values(s, 100) do print(a, b) break end
  print(select('#', spi.values('select 1, null, null')()), spi.values('select 1, null, 3')())
  print(spi.values('select 1 where false')())
  -- NULL first would end the loop in silence
  print(pcall(function() for v in spi.values('select nullif(n, 2) from generate_series(1, 3) n') do print(v) end end))
  print(pcall(function() for v in spi.values('select from generate_series(1, 3) n') do print(v) end end))
  print(pcall(function() for v in spi.values('select 1 / (2 - n) from generate_series(1, 3) n') do print(v) end end))
  print(pcall(spi.values, 'select $1', 1, 2))
  print(pcall(spi.values))
  print(pcall(spi.values, {}))
  print(pcall(s.values, s))
  for a in spi.values('insert into rows_t values (100000, $1) returning id', 'x') do print(a) end
  print(spi.execute('delete from rows_t where id = 100000'))
$$;

-- transition tables: the cursor survives other statements of the same call
create function rows_trigger() returns trigger language pllua_bg as $$
  local next_row = spi.rows('select id from added order by id')
  local sum = next_row().id
  for i = 1, 60 do spi.execute('select count(*) from rows_t') end
  for row in next_row do sum = sum + row.id end
  local c = spi.newcursor():open('select id from added')
  spi.execute('select 1')
  print(sum, c:fetch(1000).n, spi.execute('select count(*) from added').value)
  c:close()
$$;
create trigger t after insert on rows_t referencing new table as added for each statement execute function rows_trigger();
insert into rows_t select i, 'x' from generate_series(1, 200) i;

drop table rows_t;
drop function rows_trigger;
